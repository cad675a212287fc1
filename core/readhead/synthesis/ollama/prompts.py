"""The prompts, made from template files that a workspace may override.

A template `write.md` in the workspace's `prompts` folder goes before the one that ships. `$name` stands for a part of
the prompt, `$$` for a dollar sign.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from json import dumps
from pathlib import Path
from string import Template
from typing import Final

from readhead.errors import StoreError, UsageError
from readhead.language import VOCABULARY
from readhead.patterns import write_beside
from readhead.synthesis.ollama.replies import SCHEMA

FOLDER: Final = "prompts"
"""Of a workspace: where its own templates lie."""
PARTS: Final[Mapping[str, frozenset[str]]] = {
    "system": frozenset(),
    "language": frozenset({"features", "relations"}),
    "write": frozenset({"language", "summary", "count", "terms", "schema"}),
    "refine": frozenset({"language", "summary", "program", "iou", "floor", "failures", "count", "terms", "schema"}),
    "rename": frozenset({"language", "program", "schema"}),
    "again": frozenset({"prompt", "reply", "problem"}),
}
"""The templates, and what each may speak of."""
REQUIRED: Final[Mapping[str, frozenset[str]]] = {
    "system": frozenset(),
    "language": frozenset({"features", "relations"}),
    "write": frozenset({"language", "summary", "schema"}),
    "refine": frozenset({"language", "summary", "program", "failures", "schema"}),
    "rename": frozenset({"language", "program", "schema"}),
    "again": frozenset({"prompt", "problem"}),
}
"""What each must speak of, or the model would be asked for nothing that it could know."""
_SHIPPED: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Prompts:
    """The templates of a workspace."""

    texts: Mapping[str, str]
    """By name, as in `PARTS`."""
    own: tuple[str, ...] = ()
    """Those that are not as they ship."""

    @classmethod
    def load(cls, folder: Path | None = None) -> Prompts:
        """The templates in `folder`, and those that ship for what it lacks.

        Raises:
            UsageError: if a template cannot be read, lacks a part that it needs, or speaks of one that it has not.
        """
        shipped = {name: _read(_SHIPPED / f"{name}.md", name) for name in PARTS}
        paths = {name: folder / f"{name}.md" for name in PARTS} if folder else {}
        texts = {name: _read(path, name) for name, path in paths.items() if path.exists()}
        return cls({**shipped, **texts}, tuple(name for name in texts if texts[name] != shipped[name]))

    @property
    def fingerprint(self) -> str:
        """Of all templates, and of the vocabulary that stands in them."""
        return hashlib.sha256("\0".join([*self.texts.values(), self.language]).encode()).hexdigest()[:16]

    @property
    def system(self) -> str:
        """What the model is told before the prompt."""
        return self._filled("system")

    @cached_property
    def language(self) -> str:
        """What a program may say."""
        features, relations = [], []
        for term in VOCABULARY:
            if term.kind == "feature":
                features.append(f"- {term.name.removeprefix('s.')}: {term.meaning}")
            elif term.kind in {"relation", "value"}:
                relations.append(f"- {term.name}: {term.meaning}")
        return self._filled("language", features="\n".join(features), relations="\n".join(relations))

    def write(self, summary: str, *, count: int, terms: int) -> str:
        """Asks for programs for a head."""
        return self._asking("write", summary=summary, count=str(count), terms=str(terms))

    def refine(self, summary: str, source: str, failures: str, **numbers: float) -> str:
        """Asks for better versions of a program; the numbers are `iou`, `floor`, `count` and `terms`."""
        told = {name: f"{value:.2f}" if isinstance(value, float) else str(value) for name, value in numbers.items()}
        return self._asking("refine", summary=summary, program=source, failures=failures, **told)

    def rename(self, source: str) -> str:
        """Asks for a better explanation and better names."""
        return self._asking("rename", program=source)

    def again(self, prompt: str, reply: str, problem: str) -> str:
        """Asks once more, after a reply that cannot be used."""
        return self._filled("again", prompt=prompt, reply=reply, problem=problem)

    def _asking(self, name: str, **parts: str) -> str:
        return self._filled(name, language=self.language, schema=dumps(SCHEMA), **parts)

    def _filled(self, name: str, **parts: str) -> str:
        return Template(self.texts[name]).substitute(parts).strip()


def _read(path: Path, name: str) -> str:
    parts = PARTS[name]
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", hint="it is a UTF-8 text file") from error
    template = Template(text)
    if not template.is_valid():
        raise UsageError(f"{path} has a $ that begins no name", hint="write $$ for a dollar sign")
    unknown = sorted(set(template.get_identifiers()) - parts)
    if unknown:
        known = ", ".join(f"${part}" for part in sorted(parts)) or "none"
        raise UsageError(f"{path} speaks of ${unknown[0]}, which it does not have", hint=f"its parts are: {known}")
    missing = sorted(REQUIRED[name] - set(template.get_identifiers()))
    if missing:
        raise UsageError(
            f"{path} has lost ${missing[0]}",
            hint=f"write it where it belongs, or delete {path.name}: the one that ships is used then",
        )
    return text


def copy_templates(folder: Path) -> list[Path]:
    """Write the templates that ship into `folder`, to be changed there; what exists is left alone.

    Returns:
        What was written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror}", hint="check its rights") from error
    missing = [name for name in PARTS if not (folder / f"{name}.md").exists()]
    for name in missing:
        write_beside(folder / f"{name}.md", (_SHIPPED / f"{name}.md").read_text("utf-8"))
    return [folder / f"{name}.md" for name in missing]
