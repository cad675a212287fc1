"""Programs that the sandbox takes, and programs that it must refuse."""

from __future__ import annotations

HEAD = "def head(s):\n    return s.first\n"


def body(*lines: str) -> str:
    return "def head(s):\n" + "".join(f"    {line}\n" for line in lines)


FRIENDLY = {
    "annotated": "from readhead.language import Sentence, softmax\n\ndef head(s: Sentence) -> np.ndarray:\n"
    "    scores: list[float] = []\n    return softmax(6.0 * s.previous(1) + 3.0 * s.key.is_comma)\n",
    "bare": body("return softmax(2.1 * s.previous(1) + 0.8 * s.key.is_comma)"),
    "helper function": "def _near(s, k=2):\n    return s.within(k)\n\n" + body("return _near(s) * s.same_sentence"),
    "comprehension": body(
        "return [[1.0 if j <= i and t == ',' else 0.0 for j, t in enumerate(s.tokens)] for i in range(s.n)]"
    ),
    "lambda": body("weigh = lambda t: len(t) if t else 0", "return np.array([weigh(t) for t in s.words])"),
    "item assignment": body(
        "out = np.zeros((s.n, s.n))",
        "for i in range(s.n):",
        "    for j in range(i + 1):",
        "        out[i, j] += 1 / (1 + i - j)",
        "return out",
    ),
    "while": body("i = 0", "while i < s.n:", "    i += 1", "else:", "    i = 0", "return s.first"),
    "try": body(
        "try:",
        "    k = int(s.tokens[0])",
        "except (ValueError, IndexError) as error:",
        "    k = 1",
        "return s.previous(k)",
    ),
    "f-string": body("name = f'{s.n:>4}-{s.tokens[0]!r}'", "return s.first * len(name)"),
    "walrus": body("if (n := s.n) > 3:", "    return s.previous(1)", "return np.ones((n, n))"),
    "docstring": '"""Look back."""\n' + body('"""All of it."""', "return s.every"),
    "main guard": "import math\n"
    + HEAD
    + "\nif __name__ == '__main__':\n    import sys\n    print(head.__doc__, open('x'))\n",
    "typing imports": "from __future__ import annotations\nfrom typing import Dict, List, Optional, Tuple\n"
    "import numpy.typing as npt\nfrom numpy.typing import NDArray\nfrom collections.abc import Sequence\n"
    "Matrix = NDArray[np.float32]\nRows = List[Tuple[int, Optional[int]]]\n" + HEAD,
    "numpy": "import numpy as np\n" + body("return np.where(s.distance == 1, 1.0, np.exp(-np.abs(s.distance)))"),
    "from numpy": "from numpy import zeros, where\n" + body("return where(s.distance < 3, 1, zeros((s.n, s.n)))"),
    "linalg": "import numpy as np\n" + body("return s.first / np.linalg.norm(s.every)"),
    "errstate": body("with np.errstate(divide='ignore', invalid='ignore'):", "    return np.log(s.distance)"),
    "counter": "from collections import Counter, defaultdict\nimport collections\n"
    + body(
        "seen = defaultdict(list)",
        "for i, t in enumerate(s.tokens):",
        "    seen[t.lower().strip()].append(i)",
        "top = Counter(s.words).most_common(1)",
        "return s.first * len(seen) * len(top)",
    ),
    "itertools": "import itertools\nfrom functools import lru_cache, reduce\n"
    + body("return s.first * sum(1 for _ in itertools.combinations(range(4), 2))"),
    "regular expression": "import re\nWORD = re.compile(r'\\w+')\n"
    + body("return np.array([bool(WORD.match(t)) for t in s.tokens], dtype=np.float32)"),
    "string": "import string\n" + body("return np.array([t in string.punctuation for t in s.tokens])"),
    "math": "import math\n" + body("return s.decay(math.pi)"),
    "sets": "OPENERS = {'(', '[', '{'}\n" + body("return np.array([t in OPENERS for t in s.tokens])"),
    "match": body(
        "match s.tokens:",
        "    case [first, *_] if first:",
        "        return s.first",
        "    case _:",
        "        return s.every",
    ),
    "generator": "def places(s):\n    for i in range(s.n):\n        yield i\n\n"
    + body("return s.first * sum(places(s))"),
    "nonlocal": body(
        "count = 0", "def more():", "    nonlocal count", "    count += 1", "more()", "return s.first * count"
    ),
    "decorator": "import functools\n@functools.lru_cache(maxsize=None)\ndef square(x):\n    return x * x\n\n"
    + body("return s.first * square(3)"),
    "a helper's own s": "def clean(s):\n    return s.strip().lower()\n\n"
    + body("return np.array([clean(t) == 'the' for t in s.tokens])"),
    "augmented": body("w = s.previous(1).copy()", "w[:, 0] = 0.1", "w *= 2", "del w", "return s.first"),
    "ufunc methods": body("return np.maximum.accumulate(s.first, axis=1) + np.add.outer(s.is_comma, s.is_comma)"),
    "print and assert": body("print('hello', s.n)", "assert s.n, 'empty'", "return s.first"),
    "sorted": body("order = sorted(range(s.n), key=lambda i: (-len(s.tokens[i]), i))", "return s.first * order[0]"),
    "printf": body("return s.first * len('%d of %s' % (s.n, s.tokens))"),
}


REFUSED = {
    "dunder walk": (body("return ().__class__.__bases__[0].__subclasses__()"), "RH222"),
    "frame walk": (body("return (i for i in [1]).gi_frame.f_back"), "RH222"),
    "format": (body("return '{0.__class__}'.format(s)"), "RH222"),
    "format_map": (body("return '{s.__class__}'.format_map({'s': s})"), "RH222"),
    "f-string walk": (body("return f'{s.__class__.__mro__}'"), "RH222"),
    "f-string in a format": (body("return f'{s.n:{s.__class__}}'"), "RH222"),
    "private attribute": (body("return s._reading"), "RH222"),
    "np.load": (body("return np.load('x', allow_pickle=True)"), "RH222"),
    "np.save": (body("return np.save('x', s.first)"), "RH222"),
    "np.memmap": (body("return np.memmap('x')"), "RH222"),
    "np.fromfile": (body("return np.fromfile('x')"), "RH222"),
    "tofile": (body("return s.first.tofile('x')"), "RH222"),
    "np.ctypeslib": (body("return np.ctypeslib.ctypes"), "RH222"),
    "ctypes": (body("return s.first.ctypes"), "RH222"),
    "data": (body("return s.first.data"), "RH222"),
    "base": (body("return s.first.base"), "RH222"),
    "np.lib": (body("return np.lib.stride_tricks.as_strided(s.first, (9**9,))"), "RH222"),
    "np.random": (body("return np.random.rand(s.n, s.n)"), "RH222"),
    "random": ("import random\n" + HEAD, "RH223"),
    "np.seterr": (body("return np.seterr(all='raise')"), "RH222"),
    "setflags": (body("s.first.setflags(write=True)", "return s.first"), "RH222"),
    "resize": (body("x = np.ones(9)", "x.resize(99, refcheck=False)", "return x"), "RH222"),
    "patch numpy": (body("np.where = None", "return s.first"), "RH222"),
    "patch the sentence": (body("s.n = 3", "return s.first"), "RH222"),
    "delete an attribute": (body("del s.n", "return s.first"), "RH222"),
    "for into an attribute": (body("for s.n in [1]:", "    pass", "return s.first"), "RH222"),
    "functools.wraps": ("import functools\n" + body("return functools.wraps(s, updated=('__globals__',))"), "RH222"),
    "operator": ("import operator\n" + HEAD, "RH223"),
    "open": (body("return open('/etc/passwd').read()"), "RH221"),
    "eval": (body("return eval('1')"), "RH221"),
    "exec": (body("return exec('1')"), "RH221"),
    "getattr": (body("return getattr(s, 'n')"), "RH221"),
    "type": (body("return type('A', (), {})"), "RH221"),
    "globals": (body("return globals()"), "RH221"),
    "import call": (body("return __import__('os')"), "RH221"),
    "builtins": (body("return __builtins__"), "RH221"),
    "builtins bound": (body("global __builtins__", "__builtins__ = 1", "return s.first"), "RH221"),
    "name": (body("return __name__"), "RH221"),
    "dunder argument": (body("f = lambda __x: 1", "return s.first"), "RH221"),
    "dunder handler": (body("try:", "    pass", "except ValueError as __e:", "    pass", "return s.first"), "RH221"),
    "dunder function": ("def __getattr__(x):\n    return 1\n" + HEAD, "RH221"),
    "dunder pattern": (body("match s.n:", "    case __x:", "        return s.first"), "RH221"),
    "dunder alias": ("import math as __m\n" + HEAD, "RH221"),
    "decorator": ("@eval\n" + HEAD, "RH221"),
    "unknown name": (body("return sofmax(s.first)"), "RH221"),
    "os": ("import os\n" + HEAD, "RH223"),
    "sys from": ("from sys import exit\n" + HEAD, "RH223"),
    "numpy internals": ("import numpy._core\n" + HEAD, "RH223"),
    "star": ("from math import *\n" + HEAD, "RH223"),
    "relative": ("from . import x\n" + HEAD, "RH223"),
    "typing evaluator": ("from typing import get_type_hints\n" + HEAD, "RH223"),
    "private import": ("from readhead.language import _frozen\n" + HEAD, "RH223"),
    "class": ("class A:\n    pass\n" + HEAD, "RH220"),
    "async": ("async def f():\n    pass\n" + HEAD, "RH220"),
    "async comprehension": ("async def f():\n    return [x async for x in y]\n" + HEAD, "RH220"),
    "with": (body("with s:", "    return s.first"), "RH220"),
    "except*": (body("try:", "    pass", "except* ValueError:", "    pass", "return s.first"), "RH220"),
    "finally": (body("try:", "    pass", "finally:", "    pass", "return s.first"), "RH220"),
    "class pattern": (body("match s:", "    case str(x):", "        return x"), "RH220"),
    "mapping pattern": (body("match s:", "    case {'a': x}:", "        return x"), "RH220"),
    "await": (body("return await s"), "RH220"),
    "bytes": (body("return b'a'"), "RH220"),
    "complex": (body("return 1j * s.first"), "RH220"),
    "syntax": ("def head(s:\n    return 1\n", "RH201"),
    "null": ("def head(s):\n    return '\0'\n", "RH201"),
    "surrogate": ("def head(s):\n    return '\ud800'\n", "RH201"),
    "outside": (HEAD + "return 1\n", "RH201"),
    "duplicate argument": ("def f(a, a):\n    pass\n" + HEAD, "RH201"),
    "no head": ("x = 1\n", "RH202"),
    "empty": ("", "RH202"),
    "two arguments": ("def head(s, t):\n    return s.first\n", "RH202"),
    "head inside": ("def f():\n    def head(s):\n        return s.first\n", "RH202"),
    "long": (HEAD + "#" * 70_000, "RH224"),
    "parts": (HEAD + "x = [" + "1," * 25_000 + "]\n", "RH224"),
    "unary": (HEAD + "x = " + "-" * 3000 + "1\n", "RH224"),
    "sum": (HEAD + "x = 1" + " + 1" * 300 + "\n", "RH224"),
    "after the guard": (HEAD + "if __name__ == '__main__':\n    pass\nelse:\n    open('x')\n", "RH221"),
    "guard inside out": (HEAD + "if __name__ != '__main__':\n    open('x')\n", "RH221"),
    "finally under the guard": (
        HEAD + "if __name__ == '__main__':\n    try:\n        pass\n    finally:\n        pass\n",
        "RH220",
    ),
}
