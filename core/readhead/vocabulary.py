"""The vocabulary as a page for readers: `python -m readhead.vocabulary > docs/vocabulary.md`."""

from __future__ import annotations

import sys

from readhead.language import VOCABULARY, Term

_INTRODUCTION = """# The vocabulary

What a program may say, made from the table `readhead.language.VOCABULARY`. A program is `head(s)`; `s` is one
sequence of n tokens. Everything comes from the text alone, and nothing looks ahead: a feature at position j is
decided by tokens 0..j, row i of a relation by tokens 0..i.

Read a feature from the side you mean:

| you write | shape | about |
|---|---|---|
| `s.key.is_comma` | `[1, n]` | the token that is looked at |
| `s.query.is_comma` | `[n, 1]` | the token that looks |
| `s.word.is_article` | `[n, n]` | the whole word of the token that is looked at, as far as the query has read it |
| `s.is_comma` | `[n]` | each token, for loops |

A plain feature knows the word *so far*: at the first piece of `lay|er`, that is `lay`.
"""


def as_markdown() -> str:
    """The page, a table for each kind of name."""
    titles = {"value": "Values", "feature": "Features", "relation": "Relations", "function": "Functions"}
    parts = [_INTRODUCTION]
    for kind, title in titles.items():
        rows = [_row(term) for term in VOCABULARY if term.kind == kind]
        parts.append(f"\n## {title}\n\n| name | shape | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _row(term: Term) -> str:
    return f"| `{term.name}` | {term.shape} | {term.meaning.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
