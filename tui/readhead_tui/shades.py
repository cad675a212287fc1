"""Colours for numbers: palettes that colour-blind eyes can read, and shades of characters where there is no colour.

Every number in colour also stands as a number somewhere near. No widget here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rich.color import Color
from rich.style import Style

RGB = tuple[int, int, int]

RAMP: Final = " ░▒▓█"
"""From nothing to all, without colour."""
MINUS: Final = " ·-=≡"
"""The same below zero."""
_LEVELS: Final = 64
"""Different colours of a palette; more of them would only make more styles."""


@dataclass(frozen=True)
class Palette:
    """Colours from low to high, and from below zero to above."""

    name: str
    low_to_high: tuple[RGB, ...]
    minus_to_plus: tuple[RGB, ...]
    """Its middle is nothing."""
    has_colour: bool = True

    def shade(self, value: float, *, signed: bool = False) -> RGB:
        """The colour of a value from 0 to 1, or of one from -1 to 1."""
        share = (value + 1) / 2 if signed else value
        stops = self.minus_to_plus if signed else self.low_to_high
        return _between(stops, round(min(1.0, max(0.0, share)) * (_LEVELS - 1)))


@lru_cache(maxsize=1024)
def _between(stops: tuple[RGB, ...], level: int) -> RGB:
    place = level / (_LEVELS - 1) * (len(stops) - 1)
    left = min(int(place), len(stops) - 2)
    part = place - left
    low, high = stops[left], stops[left + 1]
    return (
        round(low[0] + part * (high[0] - low[0])),
        round(low[1] + part * (high[1] - low[1])),
        round(low[2] + part * (high[2] - low[2])),
    )


_VIRIDIS: Final = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_CIVIDIS: Final = ((0, 34, 78), (65, 77, 107), (124, 123, 120), (188, 175, 111), (254, 232, 56))
_MAGMA: Final = ((12, 8, 38), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191))
_GREYS: Final = ((24, 24, 24), (250, 250, 250))
_BLUE_ORANGE: Final = ((64, 150, 245), (24, 60, 110), (28, 28, 32), (125, 72, 10), (255, 160, 40))
_WHITE: Final = ((250, 250, 250), (24, 24, 24), (250, 250, 250))

PALETTES: Final[dict[str, Palette]] = {
    palette.name: palette
    for palette in (
        Palette("viridis", _VIRIDIS, _BLUE_ORANGE),
        Palette("cividis", _CIVIDIS, _BLUE_ORANGE),
        Palette("magma", _MAGMA, _BLUE_ORANGE),
        Palette("none", _GREYS, _WHITE, has_colour=False),
    )
}
"""By name. Viridis and cividis can be read with every kind of colour-blindness; `none` uses no colour at all."""


@lru_cache(maxsize=8192)
def painted(colour: RGB) -> Style:
    """Text that can be read on this colour."""
    bright = (299 * colour[0] + 587 * colour[1] + 114 * colour[2]) / 1000
    return Style(
        color=Color.from_rgb(*((0, 0, 0) if bright > _READS_BLACK else (255, 255, 255))), bgcolor=_rich(colour)
    )


_READS_BLACK: Final = 125


@lru_cache(maxsize=8192)
def two(upper: RGB, lower: RGB) -> Style:
    """Of the character `▀`: two pixels, one above the other."""
    return Style(color=_rich(upper), bgcolor=_rich(lower))


def _rich(colour: RGB) -> Color:
    return Color.from_rgb(*colour)


def character(value: float, *, signed: bool = False) -> str:
    """A value from 0 to 1 (or from -1 to 1) without colour."""
    ramp = MINUS if signed and value < 0 else RAMP
    return ramp[min(len(ramp) - 1, max(1, round(abs(value) * (len(ramp) - 1))))] if abs(value) >= _SEEN else " "


_SEEN: Final = 0.04
"""Weights below this are not drawn without colour."""
