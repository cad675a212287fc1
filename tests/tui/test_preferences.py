"""What a user prefers is read from `tui.toml`; each mistake names the cure."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.theme import BUILTIN_THEMES

from readhead.errors import UsageError
from readhead_tui.actions import ACTIONS
from readhead_tui.preferences import Preferences, preferences_file
from readhead_tui.shades import PALETTES


def read(path: Path) -> Preferences:
    return Preferences.read(path, actions=ACTIONS, themes=frozenset(BUILTIN_THEMES))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tui.toml"


def test_without_a_file_there_are_defaults_and_they_are_known(file: Path) -> None:
    preferences = read(file)
    assert preferences == Preferences()
    assert preferences.theme in BUILTIN_THEMES
    assert preferences.palette in PALETTES


def test_the_file_lies_in_the_folder_of_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert preferences_file().name == "tui.toml"
    assert preferences_file().parent.name == "readhead"


def test_all_that_can_be_preferred_is_read(file: Path) -> None:
    text = 'theme = "nord"\npalette = "none"\ncompact = true\n[keys]\nflip = "f5,space"\n'
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())  # as some editors begin a file
    assert read(file) == Preferences("nord", "none", compact=True, keys={"flip": "f5,space"})


@pytest.mark.parametrize(
    ("text", "message", "cure"),
    [
        ("theme = nord", "is not TOML", "mend it, or remove it"),
        (b"\xff\xfe", "cannot be read", "mend it, or remove it"),
        ("colour = 1", "colour = 1 means nothing", "palette (str)"),
        ("compact = 'yes'", "compact = 'yes' means nothing", "compact (bool)"),
        ("theme = 'pink'", "theme: there is no 'pink'", "nord"),
        ("palette = 'jet'", "palette: there is no 'jet'", "viridis"),
        ("[keys]\nflop = 'f5'", "keys: there is no 'flop'", "flip"),
        ("[keys]\nflip = 5", "the key of flip is 5", 'flip = "f5"'),
        ("[keys]\nflip = 'f'", "f is the key of flip and of refine", "give one of them another key"),
        ("[keys]\nflip = 'f5'\nundo = 'f6, f5'", "f5 is the key of flip and of undo", "give one of them another key"),
        ("[keys]\nflip = ' '", "the key of flip is ' '", 'flip = "f5"'),
    ],
)
def test_a_mistake_names_the_file_and_the_cure(file: Path, text: str | bytes, message: str, cure: str) -> None:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UsageError) as caught:
        read(file)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)
    assert cure in caught.value.hint


def test_a_folder_in_the_place_of_the_file_is_told(file: Path) -> None:
    file.mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        read(file)
