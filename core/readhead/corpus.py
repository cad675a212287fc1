"""Texts to sequences, split by document into `fit`, `dev` and `held-out`.

1. Read documents from the bundled stories, a text file, a JSONL file, a folder of .txt, or a hub data set.
2. Leave out exact copies; put the rest in the order of a seeded hash of their text.
3. Deal them out by that order: fit, dev, fit, held-out. A document's part depends on the documents and the seed
   alone, so no other size or length ever moves one from `held-out` to `fit`.
4. Tokenize, keep the first `length` tokens, leave out shorter documents (and count them), up to each part's size.

A sequence is always the beginning of one document, and all sequences have the same length, because an IoU falls as
sequences grow.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import itertools
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from readhead.errors import CorpusError
from readhead.tokens import Text, Tokenizer, TokenReader

Part = Literal["fit", "dev", "held-out"]
PARTS: tuple[Part, ...] = ("fit", "dev", "held-out")
SEPARATOR = "<|endoftext|>"
MOST_DOCUMENTS = 20_000
"""Documents that are read of one corpus at most: the beginning of a larger one serves, and memory stays bounded."""

_DEAL: tuple[Part, ...] = ("fit", "dev", "fit", "held-out")
_ENCODING = "utf-8-sig"  # UTF-8, with or without the mark that some editors put before it
_FIELDS = ("text", "content", "story", "document")


@dataclass(frozen=True)
class Sizes:
    """How many sequences each part wants, and how long they are."""

    fit: int = 64
    dev: int = 32
    held_out: int = 32
    length: int = 64
    """Tokens a sequence, beginning-of-sequence token included."""

    @classmethod
    def of(cls, sequences: int, length: int) -> Sizes:
        """`sequences` in all (at least 4), divided 2 : 1 : 1."""
        if sequences < len(_DEAL):
            raise CorpusError(f"{sequences} sequences cannot be split", hint=f"ask for at least {len(_DEAL)}")
        quarter = sequences // 4
        return cls(sequences - 2 * quarter, quarter, quarter, length)

    def wanted(self, part: Part) -> int:
        """Sequences that `part` wants."""
        return {"fit": self.fit, "dev": self.dev, "held-out": self.held_out}[part]


@dataclass(frozen=True)
class TokenSequence:
    """One tokenized text of the corpus: the unit that is scored."""

    ids: tuple[int, ...]
    text: Text
    """The same tokens as a program sees them."""


@dataclass(frozen=True)
class Corpus:
    """Sequences of one length in three parts."""

    name: str
    length: int
    parts: dict[Part, tuple[TokenSequence, ...]]
    too_short: int
    """Documents left out for having fewer than `length` tokens."""
    copies: int
    """Documents left out as exact copies of another."""

    def __getitem__(self, part: Part) -> tuple[TokenSequence, ...]:
        return self.parts[part]

    def all(self) -> tuple[TokenSequence, ...]:
        """All sequences: fit, then dev, then held-out."""
        return tuple(itertools.chain.from_iterable(self.parts[part] for part in PARTS))

    @cached_property
    def fingerprint(self) -> str:
        """Of the tokens of every part, their ids, surfaces and special ones: 16 hexadecimal digits."""
        parts = [[(s.ids, s.text.surfaces, sorted(s.text.special)) for s in self.parts[part]] for part in PARTS]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        """The `corpus` member of a JSON document."""
        sizes = {part.replace("-", "_"): len(self.parts[part]) for part in PARTS}
        return {"name": self.name, **sizes, "length": self.length, "too_short": self.too_short, "copies": self.copies}


class Encoder(Tokenizer, Protocol):
    """A Hugging Face tokenizer, as far as a corpus calls it."""

    @property
    def bos_token_id(self) -> Any: ...  # noqa: ANN401, D102 - Hugging Face types it loosely
    def __call__(self, text: str, **options: Any) -> Any: ...  # noqa: ANN401, D102 - as above


def encode(tokenizer: Encoder, text: str, length: int | None = None) -> list[int]:
    """Token ids of `text`, after a beginning-of-sequence token where the tokenizer has one; cut to `length`."""
    bos = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return [*bos, *ids][:length]


def tokenize(tokenizer: Encoder, text: str) -> TokenSequence:
    """One text as a sequence of its own length.

    Raises:
        CorpusError: if it has no token to look at another.
    """
    ids = encode(tokenizer, text)
    if len(ids) < 2:  # noqa: PLR2004 - one token has nothing to look at
        raise CorpusError(f"the text {text!r} has {len(ids)} tokens", hint="give at least two tokens of text")
    return TokenSequence(tuple(ids), TokenReader(tokenizer).read(ids))


def build_corpus(
    documents: Iterable[str], tokenizer: Encoder, sizes: Sizes | None = None, *, name: str = "texts", seed: int = 0
) -> Corpus:
    """Sequences from `documents`: steps 2 to 4 of this module.

    A part gets fewer sequences than it wants where the documents don't suffice.

    Raises:
        CorpusError: if there is no document, or a part would be empty.
    """
    sizes = sizes or Sizes()
    if sizes.length < 2:  # noqa: PLR2004 - one token has nothing to look at
        raise CorpusError(f"sequences of {sizes.length} token have no pattern", hint="use --length 2 or more")
    listed = [document.strip() for document in itertools.islice(documents, MOST_DOCUMENTS) if document.strip()]
    if not listed:
        raise CorpusError(f"the corpus {name} is empty", hint="give a file with at least four documents")
    ordered = sorted(set(listed), key=lambda document: hashlib.sha256(f"{seed}\n{document}".encode()).digest())
    reader = TokenReader(tokenizer)
    parts: dict[Part, list[TokenSequence]] = {part: [] for part in PARTS}
    longest = too_short = 0
    for part, document in zip(itertools.cycle(_DEAL), ordered, strict=False):
        if len(parts[part]) >= sizes.wanted(part):
            continue
        ids = encode(tokenizer, document, sizes.length)
        longest = max(longest, len(ids))
        if len(ids) < sizes.length:
            too_short += 1
        else:
            parts[part].append(TokenSequence(tuple(ids), reader.read(ids)))
    empty = [part for part in PARTS if not parts[part]]
    if empty:
        message = f"the corpus {name} leaves the {' and '.join(empty)} part empty: of {len(ordered)} documents"
        message += f" {too_short} have fewer than {sizes.length} tokens (the longest tried has {longest})"
        raise CorpusError(message, hint="use a smaller --length, or more and longer documents (at least four)")
    return Corpus(
        name, sizes.length, {part: tuple(parts[part]) for part in PARTS}, too_short, len(listed) - len(set(listed))
    )


def read_documents(spec: str) -> Iterator[str]:
    """The documents that `spec` names.

    Args:
        spec: `bundled`; a `.jsonl` file (its field `text`, or the field after a `#`: `rows.jsonl#goal`); a folder of
            `.txt` files, one document each; any other file as text, with documents between lines `<|endoftext|>`, or,
            without such a line, one document a line; else a hub data set (`owner/name`, field after a `#`).

    Raises:
        CorpusError: if there is no such file, it is not UTF-8, or its rows have no such field.
    """
    if spec == "bundled":
        stories = importlib.resources.files("readhead") / "bundled" / "stories.txt"
        with importlib.resources.as_file(stories) as path:
            return iter(list(_text_file(path)))
    location, wanted = spec, ""
    if not Path(spec).expanduser().exists():  # a file's own name may hold a #
        location, _, wanted = spec.partition("#")
    path = Path(location).expanduser()
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return _jsonl(path, wanted) if path.suffix in {".jsonl", ".ndjson"} else _text_file(path)
    if path.suffix[1:].isalpha() or path.is_absolute() or location.startswith(".") or location.count("/") != 1:
        raise CorpusError(
            f"there is no corpus {location}", hint="name a text file, a .jsonl file, a folder or `bundled`"
        )
    return _hub(location, wanted)


def _folder(path: Path) -> Iterator[str]:
    files = sorted(path.glob("*.txt"))
    if not files:
        raise CorpusError(f"the folder {path} holds no .txt file", hint="give a folder with one document a .txt file")
    for file in files:
        with _readable(file):
            text = file.read_text(_ENCODING)
        yield text


def _text_file(path: Path) -> Iterator[str]:
    with _readable(path), path.open(encoding=_ENCODING) as lines:
        separated = any(line.strip() == SEPARATOR for line in lines)
    with _readable(path), path.open(encoding=_ENCODING) as lines:
        if not separated:
            yield from lines
            return
        for is_separator, block in itertools.groupby(lines, lambda line: line.strip() == SEPARATOR):
            if not is_separator:
                yield "".join(block)


def _jsonl(path: Path, wanted: str) -> Iterator[str]:
    with _readable(path), path.open(encoding=_ENCODING) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise CorpusError(
                        f"{path}, line {number} is not JSON: {error.msg}", hint="mend the line"
                    ) from error
                yield _field(row, wanted, f"{path}, line {number}")


def _field(row: Any, wanted: str, place: str) -> str:  # noqa: ANN401 - parsed JSON
    keys = [
        key for key in ((wanted,) if wanted else _FIELDS) if isinstance(row, dict) and isinstance(row.get(key), str)
    ]
    if not keys:
        found = ", ".join(row) if isinstance(row, dict) else type(row).__name__
        raise CorpusError(
            f"{place} has no text field {wanted or 'text'!r} (it has: {found})", hint="name it: FILE#field"
        )
    return str(row[keys[0]]).encode("utf-8", "replace").decode()  # JSON can spell half an emoji, which is no text


def _hub(name: str, wanted: str) -> Iterator[str]:
    try:
        import datasets  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise CorpusError(
            f"there is no file {name}, and hub data sets need the extra `hub`",
            hint="pip install 'readhead[hub]', or name a local file",
        ) from error
    try:
        rows = datasets.load_dataset(name, split="train", streaming=True)
        for number, row in enumerate(rows):
            yield _field(row, wanted, f"{name}, row {number}")
    except CorpusError:
        raise
    except Exception as error:  # the library raises whatever its network and file layers raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorpusError(
            f"the data set {name} cannot be read: {reason}", hint="check its name and the network, or use a local file"
        ) from error


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8 ({_undecodable(path)})", hint="convert it: iconv -t utf-8") from error
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}", hint="check the path and its rights") from error


def _undecodable(path: Path) -> str:
    """The line that is no UTF-8: the position in a decoding error counts from some buffer's beginning."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return f"line {number}"
    return "when first read"
