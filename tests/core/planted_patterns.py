"""Heads planted as patterns: what a known score of the program language gives on texts, in a store on disk."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import AutoTokenizer

from readhead.corpus import Corpus, Sizes, build_corpus, read_documents
from readhead.heads import Geometry
from readhead.language import Sentence, softmax
from readhead.library import Target
from readhead.patterns import PatternStore, pack

Score = Callable[[Sentence], npt.ArrayLike]


def stories(sizes: Sizes) -> Corpus:
    """The bundled stories in the bundled model's tokens, which split the rarer words."""
    with importlib.resources.as_file(importlib.resources.files("readhead") / "bundled" / "model") as folder:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    return build_corpus(read_documents("bundled"), tokenizer, sizes, name="stories")


def plant_patterns(path: Path, corpus: Corpus, heads: Mapping[str, Score]) -> Target:
    """A target with one head for each score, in their order; its store is the file `path`."""
    packed = [
        [pack(softmax(score(Sentence(sequence.text.surfaces, sequence.text.special)))) for score in heads.values()]
        for sequence in corpus.all()
    ]
    np.array(packed, np.float16).tofile(path)
    store = PatternStore(path, len(packed), len(heads), corpus.length)
    return Target("planted", Geometry(1, len(heads)), corpus, store)
