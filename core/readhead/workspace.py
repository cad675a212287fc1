"""A workspace: the programs folder, and the state in `.readhead/`, by the settings of its `readhead.toml`.

State is one SQLite database in WAL mode, which several processes may use at once, and the pattern stores. Scores are
keyed by fingerprints of program, model and corpus, so whatever did not change is not computed again, and a changed
file can never be shown with an old score.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from filelock import FileLock

from readhead.errors import StoreError
from readhead.patterns import Array, write_beside
from readhead.settings import CONFIG, OllamaSettings, Settings, find_root, read_settings

STATE = ".readhead"
_SCHEMA = 1
_BUSY_SECONDS = 30


@dataclass(frozen=True)
class StoredScore:
    """One program's IoU on every head, on one part of a corpus."""

    iou: Array
    """`[heads]`, mean over sequences."""
    failed: int
    """Sequences on which the program gave nothing; they count as IoU 0."""
    failures: tuple[dict[str, Any], ...] = field(default=())
    """What went wrong, as `readhead.sandbox.Failure.as_dict` says it."""


@dataclass(frozen=True)
class ScoreKey:
    """What a stored score depends on."""

    program: str
    model: str
    corpus: str
    part: str


FigureKey = tuple[ScoreKey, str]
"""A score's key, and one head."""


class Workspace:
    """An open workspace. Close it, or use it in a `with` block."""

    def __init__(
        self, root: Path, settings: Settings, *, temporary: tempfile.TemporaryDirectory[str] | None = None
    ) -> None:
        self.root = root
        self.settings = settings
        self.state = root / STATE
        self._temporary = temporary
        with _storage(self.state):
            self.state.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                self.state / "readhead.sqlite", timeout=_BUSY_SECONDS, isolation_level=None
            )
            try:
                with FileLock(self.state / "readhead.lock"):  # a change to WAL does not wait for other processes
                    self._database.execute("PRAGMA journal_mode = WAL")
                    self._prepare()
            except BaseException:
                self.close()
                raise

    @classmethod
    def open(cls, folder: str | Path | None = None) -> Workspace:
        """The workspace in `folder`, or the one found upwards from the working directory, or a temporary one.

        A temporary workspace leaves nothing behind.

        Raises:
            UsageError: if its `readhead.toml` has an unknown key or a wrong type, or is not TOML.
            StoreError: if its state cannot be read or written.
        """
        root = Path(folder) if folder is not None else find_root(Path.cwd())
        if root is None:
            return cls.temporary()
        config = root / CONFIG
        return cls(root.resolve(), read_settings(config) if config.exists() else Settings())

    @classmethod
    def temporary(cls) -> Workspace:
        """A workspace with default settings that leaves nothing behind."""
        folder = tempfile.TemporaryDirectory(prefix="readhead-")
        return cls(Path(folder.name), Settings(), temporary=folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; remove a temporary workspace."""
        self._database.close()
        if self._temporary:
            self._temporary.cleanup()

    @property
    def lasts(self) -> bool:
        """Whether what is saved here is there tomorrow."""
        return self._temporary is None

    @property
    def programs(self) -> Path:
        """The folder of the user's program files; it need not exist."""
        return self.root / self.settings.programs

    def pattern_folder(self, model: str, corpus: str) -> Path:
        """Where the patterns of the model and the corpus of these fingerprints lie."""
        return self.state / "patterns" / f"{model}-{corpus}"

    def stored_scores(self, keys: list[ScoreKey]) -> dict[ScoreKey, StoredScore]:
        """Those of the scores that are known."""
        found = {}
        with _storage(self.state):
            for key in keys:
                row = self._database.execute(
                    "SELECT iou, failed, failures FROM scores"
                    " WHERE program = ? AND model = ? AND corpus = ? AND part = ?",
                    astuple(key),
                ).fetchone()
                if row:
                    found[key] = StoredScore(np.frombuffer(row[0], np.float32), row[1], tuple(json.loads(row[2])))
        return found

    def store_scores(self, scores: dict[ScoreKey, StoredScore]) -> None:
        """Save scores, all or none."""
        rows = [
            (*astuple(key), s.iou.astype(np.float32).tobytes(), s.failed, json.dumps(s.failures))
            for key, s in scores.items()
        ]
        with _storage(self.state), self._transaction():
            self._database.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def stored_figures(self, keys: list[FigureKey]) -> dict[FigureKey, dict[str, Any]]:
        """Those of the figures of single heads that are known."""
        found = {}
        with _storage(self.state):
            for key, head in keys:
                row = self._database.execute(
                    "SELECT figures FROM figures"
                    " WHERE program = ? AND model = ? AND corpus = ? AND part = ? AND head = ?",
                    (*astuple(key), head),
                ).fetchone()
                if row:
                    found[key, head] = json.loads(row[0])
        return found

    def store_figures(self, figures: dict[FigureKey, dict[str, Any]]) -> None:
        """Save figures of single heads, all or none."""
        rows = [(*astuple(key), head, json.dumps(values)) for (key, head), values in figures.items()]
        with _storage(self.state), self._transaction():
            self._database.executemany("INSERT OR REPLACE INTO figures VALUES (?, ?, ?, ?, ?, ?)", rows)

    def store_assignments(self, model: str, corpus: str, best: dict[str, tuple[str, float]]) -> None:
        """Save each head's best program (its fingerprint and IoU on `dev`), replacing the earlier ones."""
        rows = [(model, corpus, head, program, iou) for head, (program, iou) in best.items()]
        with _storage(self.state), self._transaction():
            self._database.execute("DELETE FROM assignments WHERE model = ? AND corpus = ?", (model, corpus))
            self._database.executemany("INSERT INTO assignments VALUES (?, ?, ?, ?, ?)", rows)

    def assignments(self, model: str, corpus: str) -> dict[str, tuple[str, float]]:
        """Each head's best program, as last saved: head to fingerprint and IoU on `dev`."""
        with _storage(self.state):
            rows = self._database.execute(
                "SELECT head, program, iou FROM assignments WHERE model = ? AND corpus = ?", (model, corpus)
            ).fetchall()
        return {head: (program, iou) for head, program, iou in rows}

    def store_written(self, model: str, corpus: str, method: str, head: str, sources: list[str]) -> None:
        """Save the programs that a method has written for a head."""
        with _storage(self.state), self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?, ?)",
                (model, corpus, method, head, json.dumps(sources)),
            )

    def written_programs(self, model: str, corpus: str, method: str) -> dict[str, list[str]]:
        """For each head the programs that a method has written."""
        with _storage(self.state):
            rows = self._database.execute(
                "SELECT head, sources FROM written WHERE model = ? AND corpus = ? AND method = ?",
                (model, corpus, method),
            ).fetchall()
        return {head: json.loads(sources) for head, sources in rows}

    def written_for(self, model: str, head: str) -> list[str]:
        """All programs that were written for a model's head, whatever with and on whichever corpus."""
        with _storage(self.state):
            rows = self._database.execute(
                "SELECT sources FROM written WHERE model = ? AND head = ? ORDER BY corpus, method", (model, head)
            ).fetchall()
        return [source for (sources,) in rows for source in json.loads(sources)]

    def current_board(self, model: str) -> dict[str, str]:
        """The heads in program mode now, each with its program's text, in the order of their names."""
        with _storage(self.state):
            rows = self._database.execute(
                "SELECT head, source FROM board WHERE model = ? ORDER BY head", (model,)
            ).fetchall()
        return dict(rows)

    def change_board(self, model: str, heads: Mapping[str, str | None]) -> None:
        """Put heads into program mode with a text, or (None) back to neural; all or none."""
        with _storage(self.state), self._transaction():
            for head, source in heads.items():
                if source is None:
                    self._database.execute("DELETE FROM board WHERE model = ? AND head = ?", (model, head))
                else:
                    self._database.execute("INSERT OR REPLACE INTO board VALUES (?, ?, ?)", (model, head, source))

    def store_answer(self, run: str, about: str, step: str, asked: float, record: dict[str, Any]) -> None:
        """Save what a language model has answered in a step of a run; a request is known by when it was `asked`."""
        with _storage(self.state), self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", (run, about, step, asked, json.dumps(record))
            )

    def stored_answers(self, run: str) -> list[tuple[str, str, dict[str, Any]]]:
        """What they are about, step and record of all answers of a run, in the order in which they were asked for."""
        with _storage(self.state):
            rows = self._database.execute(
                "SELECT about, step, record FROM answers WHERE run = ? ORDER BY asked", (run,)
            ).fetchall()
        return [(about, step, json.loads(record)) for about, step, record in rows]

    def store_candidate(self, run: str, about: str, step: str, place: int, record: dict[str, Any]) -> None:
        """Save a program that a language model wrote in a step of a run, and what became of it."""
        with _storage(self.state), self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO candidates VALUES (?, ?, ?, ?, ?)",
                (run, about, step, place, json.dumps(record)),
            )

    def stored_candidates(self, run: str) -> list[tuple[tuple[str, str, int], dict[str, Any]]]:
        """The candidates of a run, each with what it is about, its step and its place there."""
        with _storage(self.state):
            rows = self._database.execute(
                "SELECT about, step, place, record FROM candidates WHERE run = ?", (run,)
            ).fetchall()
        return [((about, step, place), json.loads(record)) for about, step, place, record in rows]

    def drafted_for(self, head: str) -> list[dict[str, Any]]:
        """The candidates of all runs that are about a head of this name, of whichever model."""
        beginning = f"{head} from "
        with _storage(self.state):
            rows = self._database.execute(
                "SELECT record FROM candidates WHERE about = ? OR substr(about, 1, ?) = ? ORDER BY run, step, place",
                (head, len(beginning), beginning),
            ).fetchall()
        return [json.loads(record) for (record,) in rows]

    def note_wrote(self, text: str) -> None:
        """Note that Readhead has written a program file with this text."""
        with _storage(self.state):
            self._database.execute("INSERT OR IGNORE INTO wrote VALUES (?)", (_digest(text),))

    def wrote(self, text: str) -> bool:
        """Whether Readhead has written a program file with this text: if so, nobody has changed it since."""
        with _storage(self.state):
            row = self._database.execute("SELECT 1 FROM wrote WHERE digest = ?", (_digest(text),)).fetchone()
        return row is not None

    def _prepare(self) -> None:
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version > _SCHEMA:
            raise StoreError(
                f"{self.state} was written by a newer Readhead", hint="update Readhead, or remove that folder"
            )
        self._database.executescript(f"""
            BEGIN IMMEDIATE;
            CREATE TABLE IF NOT EXISTS scores (
                program TEXT, model TEXT, corpus TEXT, part TEXT, iou BLOB, failed INTEGER, failures TEXT,
                PRIMARY KEY (program, model, corpus, part)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS figures (
                program TEXT, model TEXT, corpus TEXT, part TEXT, head TEXT, figures TEXT,
                PRIMARY KEY (program, model, corpus, part, head)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS assignments (
                model TEXT, corpus TEXT, head TEXT, program TEXT, iou REAL,
                PRIMARY KEY (model, corpus, head)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS written (
                model TEXT, corpus TEXT, method TEXT, head TEXT, sources TEXT,
                PRIMARY KEY (model, corpus, method, head)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS board (
                model TEXT, head TEXT, source TEXT,
                PRIMARY KEY (model, head)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS answers (
                run TEXT, about TEXT, step TEXT, asked REAL, record TEXT,
                PRIMARY KEY (run, about, step, asked)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS candidates (
                run TEXT, about TEXT, step TEXT, place INTEGER, record TEXT,
                PRIMARY KEY (run, about, step, place)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS wrote (digest TEXT PRIMARY KEY) WITHOUT ROWID;
            PRAGMA user_version = {_SCHEMA};
            COMMIT;""")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:  # a full disk may have ended it already
                self._database.execute("ROLLBACK")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def init_workspace(folder: Path) -> list[Path]:
    """Write a `readhead.toml`, a programs folder and a `.gitignore` for the state; what exists is left alone.

    Returns:
        What was written.
    """
    told = [item for item in fields(Settings) if item.name not in {"device", "ollama"}]
    lines = [
        "# Settings of this Readhead workspace; flags of the commands go before them.",
        "",
        *(f"{item.name} = {json.dumps(item.default)}" for item in told),  # TOML writes such values as JSON does
        "",
        "[ollama]",
        f"model = {json.dumps(OllamaSettings.model)}",
    ]
    wanted = {CONFIG: "\n".join(lines) + "\n", ".gitignore": f"{STATE}/\n"}
    written = []
    with _storage(folder):
        (folder / Settings.programs).mkdir(parents=True, exist_ok=True)
        for name, text in wanted.items():
            if not (folder / name).exists():
                write_beside(folder / name, text)
                written.append(folder / name)
    return written


@contextmanager
def _storage(folder: Path) -> Iterator[None]:
    """Translate what SQLite and the file system raise."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        busy = "locked" in str(error)
        hint = "another run holds it; try again" if busy else f"check the disk; if it is damaged, remove {folder}"
        raise StoreError(f"the workspace's state in {folder} cannot be used: {error}", hint=hint) from error
    except OSError as error:
        raise StoreError(f"{folder} cannot be used: {error.strerror}", hint="check its rights and the disk") from error
