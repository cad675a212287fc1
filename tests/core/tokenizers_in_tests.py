"""Small tokenizers of the three families, trained in a moment on a few lines."""

from __future__ import annotations

import functools
import json
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

LINES = (
    "Once upon a time there was a little dog. The dog did not like the rain, and it ran home.",
    "The girl said that she didn't know why. It's a cold day, isn't it? Yes, it is cold and wet.",
    '"Why are you sad?" she asked. "Oh, I can\'t open the door!" Then he and she opened the door.',
    "In the morning the two of them ate 10 apples, 24 plums and 15 pears. What a day that was!",
) * 3


@functools.cache
def byte_level_bpe(*, bos: bool = True) -> PreTrainedTokenizerFast:
    """Like GPT-2's: every byte has a token, so that é and emoji fall apart where they were not trained."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<|endoftext|>"] if bos else [],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **({"bos_token": "<|endoftext|>"} if bos else {}))


@functools.cache
def sentencepiece(*, bos: bool = True) -> PreTrainedTokenizerFast:
    """Like Llama's: `▁` before a word, the first one too; what is not in the vocabulary falls back to bytes."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex("▁"), "merged_with_next"),
            pre_tokenizers.Punctuation(),  # SentencePiece never joins what is of two scripts
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=200, special_tokens=["<unk>", "<s>", "</s>"] if bos else ["<unk>"], show_progress=False
    )
    tokenizer.train_from_iterator(LINES, trainer)
    trained: dict[str, Any] = json.loads(tokenizer.to_str())
    vocabulary = trained["model"]["vocab"]
    vocabulary |= {f"<0x{value:02X}>": len(vocabulary) + value for value in range(256)}
    trained["model"]["byte_fallback"] = True
    marks = {"bos_token": "<s>", "eos_token": "</s>"} if bos else {}
    with_bytes = Tokenizer.from_str(json.dumps(trained))
    return PreTrainedTokenizerFast(tokenizer_object=with_bytes, unk_token="<unk>", **marks)


@functools.cache
def wordpiece(*extra: str) -> PreTrainedTokenizerFast:
    """Like BERT's: `##` before a later piece, spaces lost; `extra` lines are trained on too."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    trainer = trainers.WordPieceTrainer(vocab_size=160, special_tokens=list(marks.values()), show_progress=False)
    tokenizer.train_from_iterator((*LINES, *extra), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)
