"""Forty programs as language models and people write them, meant well: most must be accepted, whatever their habits."""

from __future__ import annotations

from core.sandbox_programs import body

TYPICAL = {
    "weighted sum": body("return softmax(4.0 * s.previous(1) + 2.0 * s.key.is_comma + 0.5 * s.first)"),
    "imports of everything": "import math\nimport re\nfrom typing import Dict, List, Optional, Tuple\n"
    "import numpy as np\n"
    "from readhead.language import Sentence, softmax\n\n\ndef head(s: Sentence) -> np.ndarray:\n"
    '    """Previous token."""\n    return softmax(10.0 * s.previous(1))\n',
    "own softmax": "import numpy as np\n\ndef my_softmax(x, axis=-1):\n    x = x - x.max(axis=axis, keepdims=True)\n"
    "    e = np.exp(x)\n    return e / e.sum(axis=axis, keepdims=True)\n\n"
    + body("return my_softmax(s.previous(1) * 5)"),
    "double loop": body(
        "n = s.n",
        "out = np.zeros((n, n), dtype=np.float32)",
        "for i in range(n):",
        "    for j in range(i + 1):",
        "        if s.tokens[i].strip().lower() == s.tokens[j].strip().lower():",
        "            out[i, j] += 1.0",
        "        elif j == i - 1:",
        "            out[i][j] = 0.5",
        "return out",
    ),
    "list of lists": body(
        "weights = []",
        "for i, query in enumerate(s.tokens):",
        "    row = [0.0] * s.n",
        "    row[max(i - 1, 0)] = 1.0",
        "    weights.append(row)",
        "return np.array(weights)",
    ),
    "constants above": 'PUNCTUATION = {".", ",", ";", "!", "?"}\nWEIGHT: float = 3.5\n\n'
    + body("mask = np.array([t.strip() in PUNCTUATION for t in s.tokens], dtype=float)", "return WEIGHT * mask"),
    "dict of positions": "from collections import defaultdict\n"
    + body(
        "last = {}",
        "places = defaultdict(list)",
        "w = np.zeros((s.n, s.n))",
        "for i, t in enumerate(s.tokens):",
        "    if t in last:",
        "        w[i, last[t]] = 1",
        "    last[t] = i",
        "    places[t].append(i)",
        "return w",
    ),
    "induction by hand": body(
        "w = np.zeros((s.n, s.n))",
        "for i in range(1, s.n):",
        "    for j in range(i - 1, 0, -1):",
        "        if s.tokens[j - 1] == s.tokens[i]:",
        "            w[i, j] = 1.0",
        "            break",
        "    else:",
        "        w[i, 0] = 1.0",
        "return w",
    ),
    "regular expressions": 'import re\n\nNUMBER = re.compile(r"^\\s*\\d+([.,]\\d+)?$")\n\n'
    + body("is_number = np.array([bool(NUMBER.match(t)) for t in s.tokens])", "return is_number.astype(np.float32)"),
    "main guard": body("return s.first") + '\n\nif __name__ == "__main__":\n    import sys\n\n    print(sys.argv)\n',
    "where with out": body(
        "total = s.same_token.sum(axis=1, keepdims=True)",
        "return np.divide(s.same_token, total, out=np.zeros_like(s.same_token), where=total > 0)",
    ),
    "error state": body('with np.errstate(divide="ignore", invalid="ignore"):', "    return np.log(s.distance)"),
    "masked with infinity": body(
        "scores = np.where(s.distance <= 3, -s.distance, -np.inf)",
        "return softmax(scores + np.tril(np.ones((s.n, s.n))))",
    ),
    "lambda and sort": body(
        "order = sorted(range(s.n), key=lambda i: (-s.length[i], i))",
        "w = np.zeros(s.n)",
        "w[order[:3]] = 1.0",
        "return w",
    ),
    "f-strings": body("label = f'{s.n:03d} tokens, first {s.tokens[0]!r}'", "return s.first * (len(label) > 0)"),
    "try and except": body(
        "try:",
        "    value = float(s.tokens[-1])",
        "except (ValueError, IndexError) as error:",
        "    value = 0.0",
        "return s.first + value * 0",
    ),
    "nested helpers": "def helper(s, name: str = 'x', *, scale: float = 1.0, **options):\n    def inner(x):\n"
    "        return x * scale\n    return inner(s.first)\n\n" + body("return helper(s, scale=2.0, other=1)"),
    "walrus and ternary": body("return s.previous(k) if (k := min(2, s.n)) > 1 else s.first"),
    "counter": "from collections import Counter\n"
    + body(
        "counts = Counter(t.lower() for t in s.tokens)", "return np.array([1.0 / counts[t.lower()] for t in s.tokens])"
    ),
    "comprehension with conditions": body(
        "return np.array([[1.0 if j <= i and s.is_name[j] and not s.is_name[i] else 0.0 for j in range(s.n)]"
        " for i in range(s.n)])"
    ),
    "generator and any": body("has = any(t.endswith('ing') for t in s.tokens)", "return s.first if has else s.every"),
    "functools": "from functools import lru_cache, partial, reduce\n\n@lru_cache(maxsize=None)\ndef weight(d):\n"
    "    return 0.5 ** d\n\n" + body("return np.vectorize(weight)(np.abs(s.distance).astype(int))"),
    "itertools": "import itertools\n"
    + body(
        "w = np.zeros((s.n, s.n))", "for a, b in itertools.combinations(range(s.n), 2):", "    w[b, a] = 1", "return w"
    ),
    "einsum and matmul": body(
        "x = np.stack([s.is_noun, s.is_verb], axis=1)", "return np.einsum('ik,jk->ij', x, x) + x @ x.T"
    ),
    "broadcasting": body("i = np.arange(s.n)", "return (i[:, None] - i[None, :] == 1).astype(np.float32)"),
    "slices": body("w = np.eye(s.n, k=-1)", "w[0, 0] = 1.0", "w[:, 0] += 0.1", "w[w < 0] = 0", "return w"),
    "normalised by hand": body(
        "w = np.exp(-0.3 * np.abs(s.distance)) * np.tri(s.n)", "w /= w.sum(axis=-1, keepdims=True) + 1e-9", "return w"
    ),
    "while loop": body(
        "i, w = s.n - 1, np.zeros(s.n)", "while i >= 0:", "    w[i] = 1 / (1 + i)", "    i -= 1", "return w"
    ),
    "string methods": body(
        "clean = [t.strip().lower().replace('’', \"'\").rstrip('s') for t in s.tokens]",
        "return np.array([c.isalpha() and c.startswith('t') for c in clean])",
    ),
    "set operations": body(
        "seen = set()", "for t in s.tokens:", "    seen.add(t)", "return s.first * len(seen | {'a'})"
    ),
    "match statement": body(
        "match s.n:", "    case 1:", "        return s.first", "    case _:", "        return s.previous(1)"
    ),
    "assert and print": body("assert s.n > 0, 'empty'", "print('tokens:', s.tokens)", "return s.itself"),
    "type aliases": "import numpy as np\nfrom numpy.typing import NDArray\n\nMatrix = NDArray[np.float32]\n\n"
    "def head(s) -> Matrix:\n    result: Matrix = s.first\n    return result\n",
    "unicode": body("quotes = '“”«»‘’'", "return np.array([any(c in quotes for c in t) for t in s.tokens])"),
    "clip and round": body("return np.clip(np.round(3 * s.previous(1) + 0.4), 0, 3).astype(np.float32)"),
    "class": "class Scorer:\n    def __init__(self, k):\n        self.k = k\n    def score(self, s):\n"
    "        return s.previous(self.k)\n\n" + body("return Scorer(1).score(s)"),
    "data class": "from dataclasses import dataclass\n\n@dataclass\nclass Rule:\n    weight: float\n\n"
    + body("return Rule(2.0).weight * s.first"),
    "str.format": body("name = '{} tokens'.format(s.n)", "return s.first * len(name)"),
    "getattr": body("return sum(getattr(s.key, name) for name in ('is_comma', 'is_period')) + s.first"),
    "scipy": "from scipy.special import softmax\n" + body("return softmax(s.previous(1), axis=-1)"),
}
"""Python as it comes; the last five are what the allow-list is known to refuse."""
