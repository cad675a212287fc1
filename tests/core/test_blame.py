"""A program's parts are what can be taken out of it: terms of its sums and statements, each alone, and nothing more."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import readhead_programs
from readhead.blame import parts_of
from readhead.program import parse

LIBRARY = sorted(Path(next(iter(readhead_programs.__path__))).rglob("*.py"))


def in_head(*lines: str) -> str:
    return "\n".join(["def head(s):", *(f"    {line}" for line in lines), ""])


def parts(source: str) -> dict[str, str]:
    """The program without each part, by the part's text."""
    text = source.encode()
    return {text[part.start : part.end].decode(): part.without for part in parts_of(source)}


def same_code(one: str, other: str) -> bool:
    return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))


@pytest.mark.parametrize(
    ("expression", "without"),
    [
        ("a + b", {"a": "b", "b": "a"}),
        ("a - b", {"a": "-b", "b": "a"}),
        ("a + b - c", {"a": "b - c", "b": "a - c", "c": "a + b"}),
        ("a - 2 * b + c", {"a": "-2 * b + c", "2 * b": "a + c", "c": "a - 2 * b"}),
        ("-a + b", {"-a": "b", "b": "-a"}),
        ("(a + (b - c))", {"a": "((b - c))", "(b - c)": "(a)", "b": "(a + (-c))", "c": "(a + (b))"}),
        ("softmax(a + b)", {"a": "softmax(b)", "b": "softmax(a)"}),
        ("3 * (a + b)", {"a": "3 * (b)", "b": "3 * (a)"}),
        ("(a + b) @ c", {"a": "(b) @ c", "b": "(a) @ c"}),
        ("'🙂' + é - a", {"'🙂'": "é - a", "é": "'🙂' - a", "a": "'🙂' + é"}),
        ("a", {}),
        ("a * b", {}),
    ],
)
def test_each_term_of_a_sum_goes_alone(expression: str, without: dict[str, str]) -> None:
    found = parts(in_head(f"return {expression}"))
    assert found == {part: in_head(f"return {rest}") for part, rest in without.items()}


def test_a_term_goes_with_the_comment_behind_it() -> None:
    first, second, third = "6.0 * s.first  # the first", "+ 3.0 * s.itself  # itself", "- s.distance / 8  # near"
    source = in_head("return softmax(", f"    {first}", f"    {second}", f"    {third}", ")")
    found = parts(source)
    assert found == {
        "6.0 * s.first": in_head("return softmax(", f"    {second[2:]}", f"    {third}", ")"),
        "3.0 * s.itself": in_head("return softmax(", f"    {first}", f"    {third}", ")"),
        "s.distance / 8": in_head("return softmax(", f"    {first}", f"    {second}", ")"),
    }


def test_a_statement_goes_with_its_line_and_its_comment() -> None:
    source = in_head("x = 0", "x += s.first  # the first", "x -= s.itself", "return x")
    assert parts(source) == {
        "x += s.first": in_head("x = 0", "x -= s.itself", "return x"),
        "x -= s.itself": in_head("x = 0", "x += s.first  # the first", "return x"),
    }


def test_a_statement_beside_another_goes_with_its_semicolon() -> None:
    source = in_head("x = 0", "for i in y: x += 1; x += 2", "return x")
    found = parts(source)
    assert same_code(found["x += 1"], in_head("x = 0", "for i in y: x += 2", "return x"))
    assert same_code(found["x += 2"], in_head("x = 0", "for i in y: x += 1", "return x"))


def test_a_statement_that_is_alone_in_its_block_leaves_the_block() -> None:
    source = in_head("x = 0", "if s.n > 3:", "    x += 1  # 🙂", "elif s.n:", "    # why", "    x -= 2", "return x")
    found = parts(source)
    assert found["x += 1"] == source.replace("x += 1", "pass")
    assert found["x -= 2"] == source.replace("x -= 2", "pass")
    (block,) = (part for part in found if part.startswith("if"))
    assert found[block] == in_head("x = 0", "return x")


def test_weights_that_are_set_in_a_loop_go() -> None:
    source = in_head("for i in range(s.n):", "    w[i, i - 1] = 1.0", "    w[i + 1, : i + 2] += 0.5", "return w")
    assert set(parts(source)) == {"w[i, i - 1] = 1.0", "w[i + 1, : i + 2] += 0.5"}


@pytest.mark.parametrize(
    "lines",
    [
        ["return w[i + 1]"],
        ["return w[i - 1 : j + 2, k + 1]"],
        ["return s.previous(1 + 2)"],
        ["return np.roll(x, i + 1)"],
        ["for i in range(s.n + 1):", "    f(i)", "return x"],
        ["j = i - 1", "return w[j]"],
        ["j = i - 1", "return w[i, j + 1]"],
        ["j += 1", "x = w[j]", "return x"],
        ["while i + 1 < s.n:", "    f(i)", "return x"],
    ],
)
def test_arithmetic_of_places_and_arguments_is_left_alone(lines: list[str]) -> None:
    assert parts(in_head(*lines)) == {}


def test_a_mask_in_an_index_makes_no_count_of_its_names() -> None:
    assert set(parts(in_head("w = a + b", "w[w > 1] = 0", "return w"))) == {"a", "b", "w[w > 1] = 0"}


def test_only_functions_have_parts() -> None:
    source = 'K = 1 + 2\nW = {}\nW["a"] = 1\nK += 3\n\n\ndef head(s, k=1 + 2):\n    return k\n\n\n'
    assert parts(source + 'if __name__ == "__main__":\n    x += head(1) + head(2)\n') == {}


@pytest.mark.parametrize("source", ["", "def head(s:\n    return a +\n", "x = (", "def head(s):\n    return a + b +\n"])
def test_broken_text_has_no_part_that_is_broken(source: str) -> None:
    for part in parts_of(source):
        ast.parse(part.without)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_every_shipped_program_is_python_without_each_of_its_parts_and_lacks_it(path: Path) -> None:
    source = path.read_text()
    found = parts_of(source)
    assert found or parse(source).terms <= 1
    assert found == sorted(found, key=lambda part: (part.start, -part.end))
    for part in found:
        text = source.encode()[part.start : part.end].decode()
        assert source.count(text) > part.without.count(text)
        assert not same_code(source, part.without)
        assert not any(line.isspace() for line in part.without.split("\n"))
