from __future__ import annotations

import collections
import functools
import itertools
import re
import types

import numpy as np
import pytest

from core.sandbox_programs import FRIENDLY, HEAD, REFUSED, body
from readhead.language import VOCABULARY, Sentence
from readhead.sandbox import namespace, policy


@pytest.mark.parametrize("source", FRIENDLY.values(), ids=FRIENDLY.keys())
def test_a_friendly_program_is_allowed(source: str) -> None:
    assert policy.check(source) == []


@pytest.mark.parametrize(("source", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_refused(source: str, code: str) -> None:
    findings = policy.check(source)
    assert code in {finding.code for finding in findings}
    assert findings == sorted(findings, key=lambda finding: (finding.line, finding.column))


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (body("return s.key.is_coma"), "did you mean s.key.is_comma?"),
        (body("return s.same_wrd"), "did you mean s.same_word?"),
        (body("return np.wher(1)"), "did you mean np.where?"),
        (body("return sofmax(s.first)"), "did you mean softmax?"),
        (body("return softmax(is_comma)"), "write s.is_comma"),
        ("from numpy import wheree\n" + HEAD, "did you mean where?"),
        ("from scipy.special import softmax\n" + HEAD, "softmax is already there"),
        (body("return [t.lowr() for t in s.tokens]"), "did you mean .lower?"),
        (body("return '{}'.format(s.n)"), "use an f-string"),
    ],
)
def test_a_refusal_says_what_to_write_instead(source: str, hint: str) -> None:
    assert [finding.hint for finding in policy.check(source)] == [hint]


@pytest.mark.parametrize(
    ("source", "column", "instead"),
    [
        (body("return s.key.is_coma"), 18, "is_comma"),
        (body("return sofmax(s.first)"), 12, "softmax"),
        (body("return is_comma"), 12, "s.is_comma"),
        ("def head(text):\n    return is_comma\n", 12, "text.is_comma"),
        ("from numpy import wheree\n" + HEAD, 19, "where"),
        ("from numpy.lnalg import norm\n" + HEAD, 6, "numpy.linalg"),
        ("import itertool\n" + HEAD, 8, "itertools"),
        ("import os\n" + HEAD, 8, ""),
    ],
)
def test_a_name_that_cures_a_finding_is_told_for_editors(source: str, column: int, instead: str) -> None:
    (finding,) = policy.check(source)
    assert (finding.column, finding.instead) == (column, instead)


def test_all_findings_come_at_once_in_reading_order() -> None:
    source = "import os\nclass A: pass\ndef head(s):\n    return open(s.__class__).x\n"
    assert [(f.line, f.column, f.code) for f in policy.check(source)] == [
        (1, 8, "RH223"),
        (2, 1, "RH220"),
        (4, 12, "RH221"),
        (4, 19, "RH222"),
        (4, 30, "RH222"),
    ]


@pytest.mark.parametrize(
    ("line", "column"),
    [("return '🙂é' + s.nope", 21), ("return '🙂é' + nope", 19), ("return ('🙂é' + 1j)", 20), ("return '🙂é' + ", 19)],
)
def test_columns_count_characters(line: str, column: int) -> None:
    (finding,) = policy.check(body(line))
    assert (finding.line, finding.column) == (2, column)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_end_as_python_says(newline: str) -> None:
    (finding,) = policy.check(newline.join(["x = 'a\x0cb\u2028'", "def head(s):", "    return s.nope", ""]))
    assert (finding.line, finding.column) == (3, 14)


def test_every_word_of_the_vocabulary_is_allowed() -> None:
    for term in VOCABULARY:
        name = term.name.split("(")[0].removeprefix("s.")
        use = {"function": f"{name}(s.first)", "feature": f"s.{name} + s.key.{name} + s.word.{name}"}
        call = f"s.{name}({'s.is_name' if '(x)' in term.name else 2})" if "(" in term.name else f"s.{name}"
        assert policy.check(body(f"return {use.get(term.kind, call)}")) == []


def test_a_review_tells_what_a_program_will_ask_for() -> None:
    review = policy.review(body("return s.previous(1) + s.previous() + s.key.is_comma + s.decay(2.5) + s.within(s.n)"))
    assert review.features == {"previous", "key", "is_comma", "decay", "within", "n"}
    assert review.counted == {("previous", 1), ("decay", 2.5)}
    assert review.result_line == 2


def test_many_findings_are_cut_and_cheap() -> None:
    findings = policy.check(HEAD + "\n".join(f"unknown_{n} + s.nope_{n}" for n in range(900)))
    assert len(findings) == 100


# The second layer: what a program holds leads nowhere else


def test_the_tables_name_what_is_there() -> None:
    modules = namespace._modules()
    for path, names in policy.MODULES.items():
        assert names - set(vars(modules[path])) <= {"cbrt", "exp2"}, path
    assert set(namespace.fresh()["__builtins__"]) == policy.BUILTINS | {"__import__"}
    assert not [name for name in policy.ATTRIBUTES if name.startswith("_")]


def _values() -> list[object]:
    def function() -> int:
        return 1

    def generator() -> object:
        yield 1

    names = namespace.fresh()
    errors: list[BaseException] = []
    for fail in ([].pop, lambda: {}["a"], lambda: None.x, lambda: 1 / 0, lambda: next(iter(()))):  # type: ignore[attr-defined]
        try:
            fail()
        except Exception as error:  # noqa: BLE001
            errors.append(error)
    sentence = Sentence([" The", " cat", ","], [0])
    return [
        *names.values(), *(value for key, value in names["__builtins__"].items() if key != "__import__"),
        *namespace._modules().values(), sentence, function, generator(), *errors, 1, 1.5, "a", [1], (1,), {"a": 1}, {1},
        None, Ellipsis, True, range(3), slice(1), map(abs, []), zip([]), enumerate([]), reversed([1]), iter([]),
        np.ones((2, 2)), np.float32(1), np.dtype("f4"), np.array(["a"]), np.array([None]), np.finfo("f4"),
        np.iinfo("i4"), np.vectorize(abs), np.errstate(), re.compile("a"), re.match("a", "a"), re.finditer("a", "a"),
        collections.Counter(), collections.deque(), collections.defaultdict(list), functools.partial(abs),
        functools.lru_cache(function), functools.cmp_to_key(cmp_to_key_of_two), itertools.count(), itertools.tee([])[0],
        np.ones((2, 2)).flat, np.ndenumerate(np.ones(2)), np.ndindex(2), np.mgrid, np.r_, np.add, list[int],
        {}.keys(), {}.items(),
    ]  # fmt: skip


def cmp_to_key_of_two(a: int, b: int) -> int:
    return a - b


POWERS = (open, eval, exec, getattr, setattr, vars, type, object, __import__, compile)


def test_no_module_frame_code_or_globals_is_in_reach() -> None:
    forbidden = (types.ModuleType, types.FrameType, types.CodeType, types.TracebackType)
    scopes = {id(vars(module)) for module in (np, re, namespace, policy, collections)}
    seen: dict[int, object] = {}
    queue = _values()
    while queue:
        value = queue.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        assert not isinstance(value, forbidden), value
        assert id(value) not in scopes
        assert not any(value is power for power in POWERS)
        if not isinstance(value, np.ndarray):
            queue += [found for name in policy.ATTRIBUTES if (found := _attribute(value, name)) is not None]
    assert len(seen) > 400


def _attribute(value: object, name: str) -> object:
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001
        return None
