"""What a program may say: an allow-list over its syntax tree.

A program is compiled unchanged, so whatever it may do must be written in it. Four tables decide, and whatever is on
none of them is refused, the syntax of later Python versions included:

* `NODES`: the kinds of statement and expression;
* `BUILTINS` and `PREBOUND`: the names that are there without being bound in the file;
* `MODULES`: what may be imported, and the names in it;
* `METHODS`: the attributes of arrays, strings, lists, dicts, sets and matches.

No function that takes an attribute's name as text (`getattr`, `str.format`) is on a list, so an attribute that is not
written out in the file is out of reach, and one pass over the tree is enough. The tables are also what the server
hands to a program. Annotations and the body of `if __name__ == "__main__":` never run, so they are not looked at.

`check` never raises and never runs anything.
"""

# ruff: noqa: SIM905 - the tables are lists of words

from __future__ import annotations

import ast
import difflib
import functools
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from readhead.findings import Finding
from readhead.language import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE_NAME: Final = "<program>"
"""What a program's code is compiled under; tracebacks and dumps are searched for it."""

COMPILER_FLAGS: Final = annotations.compiler_flag
"""Annotations stay text and are never evaluated."""

_LARGEST: Final = 64 * 1024
_MOST_NODES: Final = 20_000
_DEEPEST: Final = 200
_MOST_FINDINGS: Final = 100
_MOST_HINTS: Final = 25
_MOST_COMPARED: Final = 8_000
"""Names looked at for hints, in all: a file can bind a thousand names that all look alike."""
_LONGEST_NAME: Final = 40

NODES: Final = frozenset(
    """
    Module FunctionDef Lambda Return Assign AugAssign AnnAssign Delete For While If With withitem Raise Try Assert
    ExceptHandler Import ImportFrom alias Global Nonlocal Expr Pass Break Continue arguments arg keyword BoolOp And Or
    BinOp Add Sub Mult MatMult Div Mod Pow LShift RShift BitOr BitXor BitAnd FloorDiv UnaryOp Invert Not UAdd USub
    Compare Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn IfExp NamedExpr Call Attribute Subscript Slice Starred Name
    Constant List Tuple Dict Set JoinedStr FormattedValue ListComp SetComp DictComp GeneratorExp comprehension Yield
    YieldFrom Load Store Del Match match_case MatchValue MatchSingleton MatchSequence MatchStar MatchAs MatchOr
    """.split()
)

BUILTINS: Final = frozenset(
    """
    abs all any bool callable chr dict divmod enumerate filter float frozenset int isinstance iter len list map max min
    next ord pow print range repr reversed round set slice sorted str sum tuple zip ArithmeticError AssertionError
    AttributeError Exception FloatingPointError IndexError KeyError LookupError MemoryError NameError
    NotImplementedError OverflowError RecursionError RuntimeError StopIteration TypeError ValueError ZeroDivisionError
    """.split()
)

PREBOUND: Final = {"np": "numpy", "math": "math", "re": "re", "softmax": "", "normalize": ""}
"""Names that a bare file has, with the module that they stand for."""

MODULES: Final = {
    "__future__": frozenset({"annotations"}),
    "readhead.language": frozenset({"Array", "Sentence", "TokenFeatures", "normalize", "softmax"}),
    "math": frozenset(
        """
        acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e erf erfc exp exp2 expm1
        fabs factorial floor fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt lcm ldexp lgamma
        log log10 log1p log2 modf nan nextafter perm pi pow prod radians remainder sin sinh sqrt tan tanh tau trunc ulp
        """.split()
    ),
    "re": frozenset(
        """
        A ASCII DOTALL I IGNORECASE M MULTILINE S U UNICODE VERBOSE X compile error escape findall finditer fullmatch
        match search split sub subn
        """.split()
    ),
    "itertools": frozenset(
        """
        accumulate chain combinations combinations_with_replacement compress count cycle dropwhile filterfalse groupby
        islice pairwise permutations product repeat starmap takewhile tee zip_longest
        """.split()
    ),
    "collections": frozenset("Counter OrderedDict abc defaultdict deque".split()),
    "collections.abc": frozenset(
        """
        Callable Collection Container Generator Hashable Iterable Iterator Mapping MutableMapping MutableSequence
        MutableSet Sequence Set Sized
        """.split()
    ),
    "functools": frozenset("cache cmp_to_key lru_cache partial reduce".split()),
    "string": frozenset(
        "ascii_letters ascii_lowercase ascii_uppercase digits hexdigits punctuation whitespace".split()
    ),
    "typing": frozenset(
        """
        Any Callable Collection Counter DefaultDict Deque Dict Final FrozenSet Generator Hashable Iterable Iterator
        List Literal Mapping MutableMapping MutableSequence NoReturn Optional Sequence Set Sized TYPE_CHECKING Tuple
        TypeAlias Union cast
        """.split()
    ),
    "numpy": frozenset(
        """
        False_ True_ abs absolute acos acosh add all allclose amax amin any append apply_along_axis arange arccos
        arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argpartition argsort argwhere around array
        array_equal array_split asarray ascontiguousarray asin asinh atan atan2 atanh atleast_1d atleast_2d average
        bincount bitwise_and bitwise_invert bitwise_not bitwise_or bitwise_xor block bool bool_ broadcast_arrays
        broadcast_shapes broadcast_to c_ cbrt ceil choose clip column_stack compress concat concatenate convolve copy
        copysign copyto corrcoef correlate cos cosh count_nonzero cov cumprod cumsum deg2rad degrees delete diag
        diag_indices diag_indices_from diagflat diagonal diff digitize divide divmod dot double dstack e ediff1d einsum
        empty empty_like equal errstate exp exp2 expand_dims expm1 extract eye fabs fill_diagonal finfo fix flatnonzero
        flip fliplr flipud float16 float32 float64 float_power floor floor_divide fmax fmin fmod full full_like
        fromfunction fromiter gcd geomspace gradient greater greater_equal heaviside histogram hsplit hstack hypot
        identity iinfo indices inf inner insert int16 int32 int64 int8 int_ integer interp intersect1d intp invert
        isclose isfinite isin isinf isnan isneginf isposinf isscalar ix_ kron lcm left_shift less less_equal lexsort
        linalg linspace log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor
        logspace matmul max maximum mean median meshgrid mgrid min minimum mod moveaxis multiply nan nan_to_num
        nanargmax nanargmin nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum
        nanvar ndenumerate ndim ndindex negative newaxis nonzero not_equal ogrid ones ones_like outer pad partition
        percentile pi piecewise place polyfit polyval positive pow power prod ptp put put_along_axis putmask quantile
        r_ rad2deg radians ravel ravel_multi_index reciprocal remainder repeat reshape right_shift rint roll rollaxis
        rot90 round searchsorted select setdiff1d setxor1d shape sign signbit sin sinc sinh size sort split sqrt square
        squeeze stack std subtract sum swapaxes take take_along_axis tan tanh tensordot tile trace transpose trapezoid
        tri tril tril_indices tril_indices_from triu triu_indices triu_indices_from true_divide trunc typing uint16
        uint32 uint64 uint8 union1d unique unravel_index vander var vdot vectorize vsplit vstack where zeros zeros_like
        """.split()
    ),
    "numpy.linalg": frozenset("det eigh eigvalsh inv lstsq matrix_power norm pinv solve svd".split()),
    "numpy.typing": frozenset({"ArrayLike", "NDArray"}),
}

ANNOTATIONS: Final = frozenset(
    {("readhead.language", "Array"), ("numpy.typing", "ArrayLike"), ("numpy.typing", "NDArray")}
)
"""Members of `MODULES` that stand for types: a program may write them down and not call them."""

METHODS: Final = frozenset(
    """
    T accumulate argmax argmin argpartition argsort astype clip copy cumprod cumsum diagonal dot dtype eps fill flat
    flatten item itemsize kind max mean min nbytes ndim nonzero outer prod ravel reduce repeat reshape round
    searchsorted shape size sort squeeze std sum swapaxes take tiny tolist trace transpose var capitalize casefold
    center count endswith expandtabs find index isalnum isalpha isascii isdecimal isdigit islower isnumeric isspace
    istitle isupper join ljust lower lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust
    rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper zfill append appendleft
    clear elements extend extendleft insert most_common pop popleft remove reverse rotate subtract fromkeys get items
    keys move_to_end popitem setdefault total update values add difference difference_update discard intersection
    intersection_update isdisjoint issubset issuperset symmetric_difference symmetric_difference_update union bit_count
    bit_length is_integer end findall finditer fullmatch group groupdict groups match search span start sub subn
    cache_clear from_iterable
    """.split()
)

_FEATURES: Final = frozenset(
    term.name.removeprefix("s.").split("(")[0] for term in VOCABULARY if term.kind == "feature"
)
_SENTENCE: Final = frozenset(
    {"key", "query", "word"}
    | {term.name.removeprefix("s.").split("(")[0] for term in VOCABULARY if term.kind != "function"}
)
_COUNTED: Final = frozenset(
    term.name.removeprefix("s.").removesuffix("(k)") for term in VOCABULARY if term.name.endswith("(k)")
)
ATTRIBUTES: Final = _SENTENCE | METHODS | frozenset(name for names in MODULES.values() for name in names)
"""Every attribute name that may stand in a program."""

_TEXT_ONLY: Final = "a program sees the text only, through its argument"
_WRITE_OUT: Final = "write the attribute out: s.is_comma"
_HINTS: Final = {
    "ClassDef": "use functions, tuples and dicts",
    "AsyncFunctionDef": "use a plain def",
    "With": "only `with np.errstate(…):` is there",
    "finally": "put it after the try statement",
    "MatchClass": "use isinstance in an if statement",
    "MatchMapping": "look keys up in an if statement",
    "Complex": "use real numbers",
    "format": "use an f-string",
    "format_map": "use an f-string",
    "random": "predictions must be the same every time",
    "at": "use np.bincount, or add in a loop",
    "empty": "use np.zeros",
    "resize": "use np.reshape, np.tile or np.pad",
    "view": "use astype or reshape",
    "ndarray": "use np.array; in annotations it may stand",
    "load": _TEXT_ONLY,
    "save": _TEXT_ONLY,
    "memmap": _TEXT_ONLY,
    "tofile": _TEXT_ONLY,
    "fromfile": _TEXT_ONLY,
    "loadtxt": _TEXT_ONLY,
    "setflags": "features are read-only: work on a copy",
    "seterr": "use `with np.errstate(…):`",
    "open": _TEXT_ONLY,
    "input": _TEXT_ONLY,
    "getattr": _WRITE_OUT,
    "hasattr": _WRITE_OUT,
    "setattr": "bind a variable of your own",
    "eval": "write the expression out",
    "exec": "write the code out",
    "type": "use isinstance",
    "hash": "use the value itself, or its place in a list",
    "id": "use ==",
    "object": "use None, or a value of your own",
    "bytes": "use str",
    "complex": "use real numbers",
    "scipy": "softmax is already there",
    "scipy.special": "softmax is already there",
    "torch": "use np",
    "os": _TEXT_ONLY,
    "sys": _TEXT_ONLY,
    "dataclasses": "use tuples and dicts",
    "readhead": "write `from readhead.language import Sentence, softmax`",
}
_NAMES_OF_NODES: Final = {
    "ClassDef": "a class",
    "AsyncFunctionDef": "an async function",
    "AsyncFor": "an async for",
    "AsyncWith": "an async with",
    "Await": "await",
    "With": "this with statement",
    "TryStar": "except*",
    "MatchClass": "a class pattern",
    "MatchMapping": "a mapping pattern",
    "TypeAlias": "a type statement",
    "finally": "finally",
}


@dataclass(frozen=True)
class Review:
    """What one pass over a program's text told."""

    findings: tuple[Finding, ...] = ()
    """Everything that is wrong with it, in reading order; a program with findings must not be run."""
    features: frozenset[str] = frozenset()
    """The vocabulary that it names, so that it can be computed once for all programs."""
    counted: frozenset[tuple[str, float]] = frozenset()
    """Relations that it asks for with a constant: `("previous", 1)`."""
    result_line: int | None = None
    """The line of `head`'s only return, or else of its def."""
    lines: int = 1 << 20
    """How many the program has; what comes back of a run cannot name a later one."""


def check(source: str) -> list[Finding]:
    """Everything that keeps the program from being run, in reading order; empty for one that may run."""
    return list(review(source).findings)


def review(source: str) -> Review:
    """Check a program and note what it will ask for."""
    if len(source) > _LARGEST:  # before the cache, which would keep it
        return Review((Finding(1, 1, "RH224", f"the file is longer than {_LARGEST} characters", "shorten it"),))
    return _review(source)


@functools.lru_cache(maxsize=256)  # a library is run over one batch of texts after another
def _review(source: str) -> Review:
    lines = re.split(r"\r\n|\r|\n", source)
    try:
        tree = _parse(source)
    except SyntaxError as error:
        return Review((_syntax_finding(error, lines, in_bytes=False),))
    except (ValueError, RecursionError, MemoryError) as error:
        return Review((_unreadable(error),))
    checker = _Checker(tree, lines)
    findings = checker.findings()
    if not findings:
        findings = _compile_findings(tree, lines)
    head = _head(tree)
    return Review(
        findings=tuple(findings),
        features=frozenset(checker.asked) & _SENTENCE,
        counted=frozenset(checker.counted),
        result_line=_result_line(head) if head else None,
        lines=len(lines),
    )


# Parsing


def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source, FILE_NAME)


def _compile_findings(tree: ast.Module, lines: list[str]) -> list[Finding]:
    """What only the compiler sees, such as a return outside a function."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(tree, FILE_NAME, "exec", flags=COMPILER_FLAGS, dont_inherit=True)
    except SyntaxError as error:
        return [_syntax_finding(error, lines, in_bytes=True)]
    except (ValueError, RecursionError, MemoryError) as error:
        return [_unreadable(error)]
    return []


def _syntax_finding(error: SyntaxError, lines: list[str], *, in_bytes: bool) -> Finding:
    line = min(max(error.lineno or 1, 1), len(lines))
    column = max(error.offset or 1, 1)
    if in_bytes:
        column = _column(lines, line, column - 1)
    return Finding(line, min(column, len(lines[line - 1]) + 1), "RH201", _short(error.msg or "invalid syntax", 200))


def _unreadable(error: Exception) -> Finding:
    if isinstance(error, RecursionError | MemoryError):
        return Finding(1, 1, "RH224", "the file is nested too deeply", "give parts of it names of their own")
    reason = "it is no valid UTF-8 text" if isinstance(error, UnicodeError) else _short(str(error), 200)
    return Finding(1, 1, "RH201", f"the file cannot be parsed: {reason}", "save it as plain UTF-8 text")


def _column(lines: list[str], line: int, offset: int) -> int:
    """The column, from 1 in characters, of a place given in UTF-8 bytes."""
    text = lines[line - 1] if line <= len(lines) else ""
    return len(text.encode()[: max(offset, 0)].decode(errors="ignore")) + 1


def _short(text: str, most: int = 40) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text[: most + 1])
    return plain if len(plain) <= most else plain[: most - 1] + "…"


# The function head


def _head(tree: ast.Module) -> ast.FunctionDef | None:
    """The last top-level `def head`, which is the one that counts."""
    named = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "head"]
    return named[-1] if named else None


def _takes_one(head: ast.FunctionDef) -> bool:
    arguments = head.args
    return len(arguments.posonlyargs + arguments.args) == 1 and not (
        arguments.kwonlyargs or arguments.vararg or arguments.kwarg
    )


def _result_line(head: ast.FunctionDef) -> int:
    returns = [node.lineno for node in _own_nodes(head) if isinstance(node, ast.Return)]
    return returns[0] if len(returns) == 1 else head.lineno


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            stack.extend(ast.iter_child_nodes(node))


# The tree


def _is_main_guard(node: ast.AST) -> bool:
    match node:
        case ast.If(
            test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")])
        ):
            return True
    return False


def _running_children(node: ast.AST) -> Iterator[ast.AST]:
    """The children that can run: no annotations, no body of a main guard."""
    guard = _is_main_guard(node)
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns"} or (guard and name in {"test", "body"}):
            continue
        yield from (child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST))


def _bindings(node: ast.AST) -> Iterator[str]:
    """The names that this node binds by itself."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
            yield name
        case ast.alias(name=name, asname=None):
            yield name.partition(".")[0]
        case ast.alias(asname=str(name)):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names


@dataclass(frozen=True)
class _Cure:
    """A hint, and the name that cures a finding."""

    hint: str = ""
    instead: str = ""


_Hint: TypeAlias = "str | _Cure | tuple[str, Iterable[str], str]"
"""A hint, or what to make one of: the name, those that could have been meant, and what stands before them."""


class _Checker:
    """One pass over a tree, collecting findings."""

    def __init__(self, tree: ast.Module, lines: list[str]) -> None:
        self.asked: set[str] = set()
        self.counted: set[tuple[str, float]] = set()
        self._tree = tree
        self._lines = lines
        self._found: list[tuple[int, int, str, str, _Hint]] = []
        self._compared = 0
        self._nodes, fits = self._flatten()
        self._bound = Counter(name for node in self._nodes for name in _bindings(node))
        self._modules = self._module_names()
        head = _head(tree)
        self._sentence = (head.args.posonlyargs + head.args.args)[0].arg if head and _takes_one(head) else ""
        if self._bound[self._sentence] != 1:
            self._sentence = ""
        if fits:
            self._check_head(head)
            self._check_finally()
            for node in self._nodes:
                self._check_node(node)

    def findings(self) -> list[Finding]:
        """What was found, in reading order, with hints."""
        found = sorted(self._found, key=lambda item: item[:4])[:_MOST_FINDINGS]
        findings = []
        for place, (line, column, code, message, hint) in enumerate(found):
            cure = self._cure(hint) if place < _MOST_HINTS else _Cure()
            findings.append(Finding(line, column, code, message, cure.hint, cure.instead))
        return findings

    def _cure(self, hint: _Hint) -> _Cure:
        if isinstance(hint, str):
            return _Cure(hint)
        if isinstance(hint, _Cure):
            return hint
        name, known, prefix = hint
        likely = sorted(candidate for candidate in known if len(candidate) <= _LONGEST_NAME)
        self._compared += len(likely)
        if len(name) > _LONGEST_NAME or self._compared > _MOST_COMPARED:
            return _Cure()
        close = difflib.get_close_matches(name, likely, n=1)
        return _Cure(f"did you mean {prefix}{close[0]}?", close[0]) if close else _Cure()

    def _flatten(self) -> tuple[list[ast.AST], bool]:
        """All nodes that can run; False where the tree is too large or too deep to go on."""
        nodes: list[ast.AST] = []
        stack: list[tuple[ast.AST, int]] = [(self._tree, 0)]
        while stack:
            node, depth = stack.pop()
            nodes.append(node)
            if depth > _DEEPEST:
                self._add(node, "RH224", "this is nested too deeply", "give parts of it names of their own")
                return nodes, False
            if len(nodes) > _MOST_NODES:
                self._add(node, "RH224", f"the program has more than {_MOST_NODES} parts", "shorten it")
                return nodes, False
            stack.extend((child, depth + 1) for child in _running_children(node))
        return nodes, True

    def _module_names(self) -> dict[str, str]:
        """The names that stand for a module and nothing else in this file."""
        names = {name: module for name, module in PREBOUND.items() if module and not self._bound[name]}
        for node in self._nodes:
            for alias in node.names if isinstance(node, ast.Import) else ():
                name = alias.asname or alias.name.partition(".")[0]
                if self._bound[name] == 1 and alias.name in MODULES:
                    names[name] = alias.name if alias.asname else name
        return names

    def _add(self, node: ast.AST, code: str, message: str, hint: _Hint = "", *, start: int = 0, end: int = 0) -> None:
        """Note a finding `start` bytes behind the node's beginning, or `end` bytes before its end."""
        line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + start
        if end:
            line, offset = getattr(node, "end_lineno", line), getattr(node, "end_col_offset", end) - end
        self._found.append((line, _column(self._lines, line, offset), code, message, hint))

    # The checks

    def _check_head(self, head: ast.FunctionDef | None) -> None:
        if head is None:
            self._add(self._tree, "RH202", "there is no function `head`", "write `def head(s):` at the top level")
        elif not _takes_one(head):
            self._add(head, "RH202", "`head` must take exactly one argument", "write `def head(s):`")

    def _check_finally(self) -> None:
        """Refused even where nothing runs: the compiler copies nested `finally` blocks without bound."""
        for node in ast.walk(self._tree):
            if getattr(node, "finalbody", None):
                self._refuse_syntax(node, "finally")

    def _check_node(self, node: ast.AST) -> None:
        kind = type(node).__name__
        if kind not in NODES:
            self._refuse_syntax(node, kind)
            return
        for name in _bindings(node):
            if name.startswith("__") and not isinstance(node, ast.alias):
                self._refuse_private(node, "RH221", name)
        self._check_kind(node)

    def _check_kind(self, node: ast.AST) -> None:
        match node:
            case ast.Name(ctx=ast.Load()):
                self._check_name(node)
            case ast.Attribute():
                self._check_attribute(node)
            case ast.Call():
                self._note_constant(node)
            case ast.Import():
                self._check_import(node)
            case ast.ImportFrom():
                self._check_import_from(node)
            case ast.With():
                self._check_with(node)
            case ast.comprehension(is_async=1):
                self._refuse_syntax(node.target, "AsyncFor")
            case ast.Constant(value=complex() | bytes() as value):
                kind = type(value).__name__
                self._add(node, "RH220", f"a {kind} constant is not part of the program language", _HINTS[kind])

    def _refuse_syntax(self, node: ast.AST, kind: str) -> None:
        what = _NAMES_OF_NODES.get(kind, f"this syntax ({kind})")
        self._add(node, "RH220", f"{what} is not part of the program language", _HINTS.get(kind, ""))

    def _refuse_private(self, node: ast.AST, code: str, name: str, *, end: int = 0) -> None:
        self._add(node, code, f"{_short(name)!r} is private to Python", "leave it out", end=end)

    def _check_name(self, node: ast.Name) -> None:
        name = node.id
        if name.startswith("__"):
            self._refuse_private(node, "RH221", name)
        elif not (self._bound[name] or name in BUILTINS or name in PREBOUND):
            known = {*self._bound, *BUILTINS, *PREBOUND}
            written = f"{self._sentence or 's'}.{name}"
            meant = _Cure(f"write {written}", written) if name in _SENTENCE else (name, known, "")
            hint = _HINTS.get(name) or meant
            self._add(node, "RH221", f"the name {_short(name)!r} is not known here", hint)

    def _check_attribute(self, node: ast.Attribute) -> None:
        name = node.attr
        size = len(name.encode())
        if name.startswith("_"):
            self._refuse_private(node, "RH222", name, end=size)
            return
        if not isinstance(node.ctx, ast.Load):
            self._add(
                node, "RH222", f"the attribute {_short(name)!r} cannot be set", "bind a variable of your own", end=size
            )
            return
        owner, known, prefix = self._known_attributes(node.value)
        if name not in known:
            hint = _HINTS.get(name) or (name, known, prefix)
            self._add(node, "RH222", f"{owner} has no {_short(name)!r} in the program language", hint, end=size)
        self.asked.add(name)

    def _known_attributes(self, value: ast.expr) -> tuple[str, frozenset[str], str]:
        """What the value is, which attributes it has, and how to write one."""
        module = self._module_of(value)
        if module:
            return module, MODULES[module], f"{ast.unparse(value)}."
        match value:
            case ast.Name(id=name) if name == self._sentence and name:
                return "a sentence", _SENTENCE, f"{name}."
            case ast.Attribute(value=ast.Name(id=name), attr="key" | "query" | "word" as side) if (
                name == self._sentence and name
            ):
                return f"a sentence's {side}", _FEATURES, f"{name}.{side}."
        return "a value", ATTRIBUTES, "."

    def _module_of(self, value: ast.expr) -> str:
        match value:
            case ast.Name(id=name):
                return self._modules.get(name, "")
            case ast.Attribute(value=ast.Name(id=name), attr=inner):
                module = f"{self._modules.get(name, '')}.{inner}"
                return module if module in MODULES else ""
        return ""

    def _note_constant(self, node: ast.Call) -> None:
        match node:
            case ast.Call(func=ast.Attribute(attr=name), args=[ast.Constant(value=int() | float() as k)], keywords=[]):
                if name in _COUNTED and 0 <= k <= _LARGEST:
                    self.counted.add((name, k))
            case ast.Call(func=ast.Attribute(attr="previous"), args=[], keywords=[]):
                self.counted.add(("previous", 1))

    def _check_import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._check_alias(alias)
            if alias.name in {"readhead.language", "__future__"}:
                self._add(alias, "RH223", f"write `from {alias.name} import …` instead")
            elif alias.name not in MODULES:
                self._refuse_module(alias, alias.name)

    def _check_import_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        if module not in MODULES:
            self._refuse_module(node, module, start=len("from "))
            return
        for alias in node.names:
            self._check_alias(alias)
            if alias.name == "*":
                self._add(alias, "RH223", "a star import hides what is used", "name what you import")
            elif alias.name not in MODULES[module]:
                hint = _HINTS.get(alias.name) or (alias.name, MODULES[module], "")
                self._add(alias, "RH223", f"{module} has no {_short(alias.name)!r} in the program language", hint)

    def _check_alias(self, alias: ast.alias) -> None:
        if alias.asname and alias.asname.startswith("__"):
            self._refuse_private(alias, "RH221", alias.asname)

    def _refuse_module(self, node: ast.AST, module: str, *, start: int = 0) -> None:
        hint = _HINTS.get(module) or _HINTS.get(module.partition(".")[0]) or (module, MODULES, "")
        self._add(node, "RH223", f"{_short(module)!r} cannot be imported", hint, start=start)

    def _check_with(self, node: ast.With) -> None:
        for item in node.items:
            match item.context_expr:
                case ast.Call(func=ast.Attribute(attr="errstate") | ast.Name(id="errstate")):
                    pass
                case other:
                    self._refuse_syntax(other, "With")
