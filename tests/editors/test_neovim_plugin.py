"""The plugin in Neovim itself: an old one, which a distribution has, and a current one."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from editors.neovim_in_tests import EDITORS, PLUGIN, WHY_NOT, Neovim, neovim, setup
from server.conftest import make_workspace, own_workspace, program_file, shared_workspace
from server.processes import descendants, engines_of
from server.programs import BROKEN, GOOD

__all__ = ["own_workspace", "program_file", "shared_workspace"]

pytestmark = pytest.mark.editors
BETTER = GOOD.replace("0.67 * s.previous(1)", "0.67 * s.previous(1) + 0.5 * s.first")
HANGS = """
import json, os, sys
with open(sys.argv[1], "a") as file:
    file.write(os.getcwd() + "\\n")
length = int(sys.stdin.readline().split(":")[1])
while sys.stdin.readline().strip():
    pass
asked = json.loads(sys.stdin.read(length))
answer = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"capabilities": {}}})
sys.stdout.write(f"Content-Length: {len(answer)}\\r\\n\\r\\n{answer}")
sys.stdout.flush()
while True:
    sys.stdin.read(1)
"""
"""A server that answers nothing after its start, and writes down where it runs."""
TWO_HEADS = GOOD.replace('["L0H3"]', '["L0H3", "L1H0"]')


@pytest.fixture(scope="module", params=list(EDITORS))
def editor(request: pytest.FixtureRequest) -> Path:
    found = EDITORS[request.param]
    if found is None:
        pytest.skip(WHY_NOT[request.param])
    return found


@pytest.fixture(scope="module")
def running(editor: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    """An editor for all tests that need none of their own."""
    with neovim(editor, tmp_path_factory.mktemp("editor")) as started:
        yield started


@pytest.fixture
def opened(running: Neovim, program_file: Path) -> Neovim:
    """An editor with a program that is measured."""
    program_file.write_text(GOOD, "utf-8")
    running.fresh()
    running.edit(program_file)
    running.settled()
    return running


def row_of(text: str, part: str) -> int:
    return next(row for row, line in enumerate(text.split("\n")) if part in line)


def iou(lens: str) -> float:
    found = re.search(r"L0H3 IoU (\d\.\d+)", lens)
    assert found is not None, lens
    return float(found[1])


# ---- what stands on the text -----------------------------------------------------------------------------------------


def test_a_program_tells_what_it_is_worth_and_what_each_term_earns(opened: Neovim) -> None:
    assert opened.lenses.startswith("L0H3 IoU 0.5")
    blame = opened.until("#blame() == 2 and blame()", "a hint behind each term")
    rows = [row_of(GOOD, "decay"), row_of(GOOD, "previous")]
    assert sorted(each["line"] for each in blame) == rows
    assert all(re.fullmatch(r"[−+]0\.\d\d", each["label"]) for each in blame), blame
    screen = opened.screen.split("\n")
    assert "def head(s): L0H3 IoU 0.5" in screen[row_of(GOOD, "def head")]
    assert re.search(r"6\.7 \* s\.decay\(12\)\s+−0\.\d\d", screen[rows[0]])
    opened.until("require('readhead').status() == 'readhead ready'", "an engine at rest")
    assert opened.lua("return said") == []


def test_what_is_broken_is_told_on_its_line_and_what_is_mended_is_measured_anew(opened: Neovim) -> None:
    before = iou(opened.lenses)
    opened.write(BROKEN)
    opened.until("#vim.diagnostic.get(0) == 3", "three findings")
    findings = opened.lua(
        "return vim.tbl_map(function(d) return { d.lnum, d.source, d.message } end, vim.diagnostic.get(0))"
    )
    rows = sorted(finding[0] for finding in findings)
    assert rows == [row_of(BROKEN, "s.foo"), row_of(BROKEN, "s.foo"), row_of(BROKEN, "open(x)")]
    assert {finding[1] for finding in findings} == {"readhead-syntax"}
    opened.until("lenses():find('not run: 3 findings', 1, true)")
    opened.until("#blame() == 0", "no hints of another text")
    opened.write(BETTER, save=True)
    after = iou(opened.settled())
    assert after != before
    syntax = "function(found) return found.source == 'readhead-syntax' end"
    opened.until(f"#vim.tbl_filter({syntax}, vim.diagnostic.get(0)) == 0", "no finding")


def test_a_pause_in_typing_is_enough(opened: Neovim) -> None:
    before = iou(opened.lenses)
    opened.write(BETTER)
    opened.until(f"lenses():find('IoU', 1, true) and not lenses():find('{before:.3f}', 1, true)", "other numbers")


# ---- actions ---------------------------------------------------------------------------------------------------------


def test_a_program_is_put_into_the_model_and_taken_out(opened: Neovim) -> None:
    assert "L0H3 is neural: flip" in opened.lenses
    opened.command("Readhead flip")
    opened.until("lenses():find('L0H3 is program: flip', 1, true)")
    opened.lua(f"vim.api.nvim_win_set_cursor(0, {{ {row_of(GOOD, 'def head') + 1}, 0 }}) choose = 'flip'")
    opened.lua("vim.lsp.codelens.run()")  # the editor's own way
    opened.until("lenses():find('L0H3 is neural: flip', 1, true)")


def test_a_lens_is_run_from_anywhere(opened: Neovim) -> None:
    opened.lua("choose = 'IoU'")
    opened.command("Readhead lens")
    opened.until("vim.api.nvim_buf_get_name(0):match('^readhead://failures/.*/L0H3/failures.md$')")


def test_constants_are_fitted_and_scores_recorded(opened: Neovim) -> None:
    opened.command("Readhead fit")
    told = opened.until("heard('constants moved')")
    assert re.search(r"2 constants moved, IoU 0\.\d+ → 0\.\d+ \(dev\)", told), told
    assert "6.7 * s.decay(12)" not in "\n".join(opened.lines())
    opened.command("Readhead record")
    assert "(held-out)" in opened.until("heard('held-out')")
    assert any("recorded" in line for line in opened.lines())


def test_an_edit_of_an_older_text_is_not_applied(opened: Neovim) -> None:
    opened.write(BETTER)  # 0.7 asks for no version of a text that was only opened
    opened.settled()
    opened.lua(
        "local apply = vim.lsp.handlers['workspace/applyEdit']\n"
        "vim.lsp.handlers['workspace/applyEdit'] = function(...)\n"
        "  vim.lsp.handlers['workspace/applyEdit'] = apply\n"
        "  vim.api.nvim_buf_set_lines(0, 0, 0, false, { '# typed meanwhile' })\n"
        "  _G.typed = lines()\n"
        "  return apply(...)\n"
        "end"
    )
    opened.command("Readhead fit")
    opened.until("heard('constants moved')")
    assert opened.lines() == opened.lua("return typed")


def test_one_constant_is_fitted(opened: Neovim) -> None:
    opened.lua(f"vim.api.nvim_win_set_cursor(0, {{ {row_of(GOOD, 'decay') + 1}, 9 }})")
    opened.command("Readhead fit here")
    assert "1 constants moved" in opened.until("heard('constants moved')")
    assert any("0.67 * s.previous(1)" in line for line in opened.lines())


def test_a_program_is_picked_by_its_size(opened: Neovim) -> None:
    opened.lua("choose = '1 terms'")
    opened.command("Readhead pick")
    told = opened.until("heard('1 terms')")
    offered = opened.lua("return asked[1].items")
    assert len(offered) > 1
    assert told.removeprefix("Program for L0H3: ") in offered
    assert opened.lua("return #said") == 1
    assert 'heads = ["L0H3"]' in "\n".join(opened.lines())


def test_of_several_heads_the_user_picks_one(opened: Neovim) -> None:
    opened.write(TWO_HEADS)
    opened.until("lenses():find('L1H0 IoU', 1, true)")
    opened.lua("choose = 'L1H0'")
    opened.command("Readhead flip")
    opened.until("lenses():find('L1H0 is program', 1, true)")
    assert opened.lua("return asked[1].items") == ["L0H3", "L1H0"]
    assert "L0H3 is neural" in opened.lenses
    opened.command("Readhead flip l1h0")
    opened.until("lenses():find('L1H0 is neural', 1, true)")


def test_all_heads_are_listed_and_one_gets_a_program(opened: Neovim, program_file: Path) -> None:
    opened.command("Readhead heads")
    opened.until("vim.bo.filetype == 'readhead'")
    lines = opened.lines()
    assert lines[0].startswith("bundled · 32 heads")
    assert re.match(r"L0H0\s+neural\s+(0\.\d+|-)\s+\w+", lines[2]), lines[2]
    opened.press("c")
    opened.until("#said > 0 and vim.bo.filetype == 'python'", "a new file")
    path = Path(opened.lua("return vim.api.nvim_buf_get_name(0)"))
    assert re.fullmatch(r"L0H0(_\d)?\.py", path.name)
    assert path.parent == program_file.parent
    assert not path.exists()  # the user writes it, or not
    assert 'heads = ["L0H0"]' in "\n".join(opened.lines())
    opened.until("lenses():find('L0H0 IoU', 1, true)", "the new program's lens")


def test_commands_are_completed_and_wrong_ones_explained(opened: Neovim) -> None:
    names = opened.lua("return vim.fn.getcompletion('Readhead ', 'cmdline')")
    assert {"flip", "fit", "refine", "record", "failures", "head", "heads", "restart", "log"} <= set(names)
    assert opened.lua("return vim.fn.getcompletion('Readhead fl', 'cmdline')") == ["flip"]
    heads = opened.until(
        "#vim.fn.getcompletion('Readhead flip L0H', 'cmdline') > 0 and "
        "vim.fn.getcompletion('Readhead flip L0H', 'cmdline')"
    )  # a busy server is not waited for
    assert heads == [f"L0H{head}" for head in range(8)]
    state = (
        "local client = require('readhead.client').of(vim.api.nvim_get_current_buf())\n"
        "client.handlers['readhead/state'](nil, { state = '%s' }, { client_id = client.id })\n"
        "return #vim.fn.getcompletion('Readhead flip L0H', 'cmdline')"
    )
    assert opened.lua(state % "loading") == 0  # it may be another model
    opened.lua(state % "ready")
    assert opened.lua("return vim.fn.getcompletion('Readhead fit ', 'cmdline')") == ["all", "here"]
    opened.command("Readhead explode")
    assert "flip" in opened.until("heard('there is no \"explode\"')")
    opened.command("Readhead fit her")
    assert opened.until("heard('not \"her\"')") == 'Readhead: fit takes all or here, not "her"'
    opened.command("Readhead trust of")
    assert opened.until("heard('not \"of\"')") == 'Readhead: trust takes on or off, not "of"'
    opened.command("Readhead")
    assert "readhead ready" in opened.until("heard('there are :Readhead')")
    opened.command("Readhead log")
    opened.until("vim.api.nvim_buf_get_name(0):match('engine.log$')")


# ---- the head's window -----------------------------------------------------------------------------------------------


def strips(lines: list[str]) -> tuple[str, str]:
    """The neural strip and the program's."""
    text = "\n".join(lines)
    neural, program = text.split("\nneural: ", 1)[1].split("\nprogram: ", 1)
    return neural.split("\n", 1)[1].strip(), program.split("\n", 1)[1].split("\n\n", 1)[0].strip()


def marks(opened: Neovim) -> list[list[object]]:
    """What is coloured in the window: row, first and last column, group."""
    return list(
        opened.lua(
            "local space = vim.api.nvim_create_namespace('readhead.map')\n"
            "return vim.tbl_map(function(m) return { m[2], m[3], m[4].end_col, m[4].hl_group } end, "
            "vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true }))"
        )
    )


def coloured(opened: Neovim, group: str) -> list[str]:
    """The pieces of text that are in the colours of a group."""
    lines = [line.encode() for line in opened.lines()]
    return [
        lines[row][first:last].decode() for row, first, last, name in marks(opened) if re.fullmatch(group, str(name))
    ]  # type: ignore[index, misc]


def open_map(opened: Neovim) -> list[str]:
    opened.command("Readhead head")
    opened.until("vim.bo.filetype == 'readhead' and vim.api.nvim_win_get_config(0).relative == 'editor'")
    return opened.lines()


def test_a_heads_map_shows_tokens_with_weights_and_numbers(opened: Neovim) -> None:
    lines = open_map(opened)
    assert re.match(r"L0H3 · \w+\.py · dev text 0 of 16 · 24 tokens · program text [0-9a-f]+$", lines[0])
    for strip in strips(lines):
        assert re.search(r"\[\d\]", strip), strip
        assert re.search(r">\S+<", strip), strip
    table = [line for line in lines if re.match(r" +\d+  ", line)]
    rest = next(line for line in lines if "more keys share" in line)
    shares = [[float(number) for number in re.findall(r"\d\.\d\d", line)[-2:]] for line in [*table, rest]]
    for column in (0, 1):
        assert sum(share[column] for share in shares) == pytest.approx(1, abs=0.06)
    tinted = coloured(opened, r"ReadheadWeight\d")
    assert any(re.search(r"\[\d\]$", piece) for piece in tinted), tinted
    assert len(coloured(opened, "ReadheadQuery")) == 2
    defined = "vim.fn.synIDattr(vim.fn.hlID('ReadheadWeight5'), 'bg', 'gui')"
    assert str(opened.lua(f"return {defined}")).startswith("#")


def test_keys_move_the_query_and_change_the_text(opened: Neovim) -> None:
    open_map(opened)
    last = coloured(opened, "ReadheadQuery")[0]
    opened.press("h")
    before = coloured(opened, "ReadheadQuery")[0]
    assert before != last
    opened.press("l")
    assert coloured(opened, "ReadheadQuery")[0] == last
    opened.press("99h")
    neural, program = strips(opened.lines())
    assert neural.startswith("><|endoftext|><[9]")  # the first token sees only itself
    assert program.startswith("><|endoftext|><[9]")
    assert coloured(opened, "ReadheadUnseen")
    opened.press("n")
    opened.until("lines()[1]:find('dev text 1 of 16', 1, true)")
    opened.press("2p")
    opened.until("lines()[1]:find('dev text 15 of 16', 1, true)")
    opened.lua("vim.ui.input = function(_, done) done('Mia saw the moon') end")
    opened.press("t")
    opened.until("lines()[1]:find('a text of yours', 1, true)")
    assert re.sub(r"\[\d\]|[<>]", "", strips(opened.lines())[1]).endswith("Mia saw the moon")
    opened.press("q")
    assert opened.lua("return vim.bo.filetype") == "python"


def test_the_cursor_chooses_the_query(opened: Neovim) -> None:
    lines = open_map(opened)
    row = row_of("\n".join(lines), "program: ") + 1
    opened.lua(f"vim.api.nvim_win_set_cursor(0, {{ {row + 1}, 0 }})")
    opened.press("")
    assert coloured(opened, "ReadheadQuery")[0].startswith("><|endoftext|><")
    assert opened.lua("return vim.api.nvim_win_get_cursor(0)[1]") == row + 1  # still in the program's strip


def test_of_two_calls_the_newer_one_is_shown(opened: Neovim) -> None:
    opened.lua("for _, head in ipairs({ 'L0H3', 'L0H5' }) do require('readhead.map').open(vim.fn.bufnr(), head) end")
    opened.until("vim.bo.filetype == 'readhead'")
    opened.until("lines()[1]:find('^L0H5 ')", patience=5)


def test_the_map_outlives_the_programs_buffer(opened: Neovim, program_file: Path) -> None:
    open_map(opened)
    before = coloured(opened, "ReadheadQuery")
    opened.command(f"bwipeout! {program_file}")
    opened.press("h")
    assert coloured(opened, "ReadheadQuery") != before
    assert program_file.name in opened.lines()[0]
    opened.lua(f"require('readhead.map').scored({{ uri = vim.uri_from_fname('{program_file}'), stamp = 'another' }})")
    opened.press("q")
    assert opened.lua("return said") == []


def test_the_map_says_that_it_is_stale_and_follows_the_program(opened: Neovim) -> None:
    lines = open_map(opened)
    opened.command("wincmd p")
    is_map = "function(buffer) return vim.bo[buffer].filetype == 'readhead' end"
    shown = f"lines(vim.tbl_filter({is_map}, vim.api.nvim_list_bufs())[1])"
    stale = "stale: the program has another text by now"
    typed = f"vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.split({json.dumps(BETTER.rstrip())}, '\\n'))"
    # in one go: after a pause it is measured, and stale no more; and where nobody types nothing tells of a change
    assert stale in opened.lua(f"{typed} vim.cmd('doautocmd TextChanged') return {shown}")
    opened.until(f"not vim.tbl_contains({shown}, '{stale}')")
    assert opened.lua(f"return {shown}")[0] != lines[0]


# ---- where it fails --------------------------------------------------------------------------------------------------


def test_the_page_of_failures_opens_and_its_links_are_followed(opened: Neovim) -> None:
    opened.command("Readhead failures")
    opened.until("vim.bo.filetype == 'markdown' and #lines() > 5")
    lines = opened.lines()
    assert re.match(r"# \w+\.py on L0H3: dev text \d+", lines[0])
    assert any(line.startswith("neural   ") for line in lines)
    assert opened.lua("return vim.bo.modifiable") is False
    row = next(row for row, line in enumerate(lines) if line.startswith("[next]("))
    opened.lua(f"vim.api.nvim_win_set_cursor(0, {{ {row + 1}, 2 }})")
    opened.press("<CR>")
    opened.until(f"#lines() > 5 and lines()[1] ~= {json.dumps(lines[0])}")
    assert "number 2 from the worst" in "\n".join(opened.lines())


def test_the_page_is_refreshed_when_the_program_changes(opened: Neovim) -> None:
    opened.command("Readhead failures L0H3")
    opened.until("vim.bo.filetype == 'markdown' and #lines() > 5")
    before = next(line for line in opened.lines() if line.startswith("- of text"))
    opened.command("wincmd p")
    opened.write(BETTER, save=True)
    opened.settled()
    opened.command("wincmd p")
    line = "table.concat(vim.tbl_filter(function(line) return line:find('^%- of text') end, lines()))"
    opened.until(f'{line} ~= {json.dumps(before)} and {line}:find("the program\'s current text", 1, true)')


# ---- when something is amiss -----------------------------------------------------------------------------------------


def test_a_killed_engine_comes_back_and_one_that_runs_is_started_again(
    editor: Path, own_workspace: Path, tmp_path: Path
) -> None:
    path = own_workspace / "programs" / "near.py"
    path.write_text(GOOD, "utf-8")
    with neovim(editor, tmp_path / "editor") as started:
        started.edit(path)
        started.settled()
        states = (
            "_G.states = {} vim.api.nvim_create_autocmd('User', { pattern = 'ReadheadState', callback = function() "
        )
        started.lua(states + "table.insert(states, require('readhead').status()) end })")
        (engine,) = engines_of(own_workspace)
        os.kill(engine, signal.SIGKILL)
        started.until("vim.tbl_contains(states, 'readhead restarting')")
        started.until("require('readhead').status():find('^readhead ready')", patience=120)
        started.settled()
        (another,) = engines_of(own_workspace)
        assert another != engine
        started.command("Readhead restart")
        started.until("not require('readhead').status():find('^readhead ready')")
        started.until("require('readhead').status():find('^readhead ready')", patience=120)
        assert engines_of(own_workspace) != [another]


def test_a_killed_server_is_told_and_started_again(opened: Neovim, program_file: Path) -> None:
    (server,) = [
        pid for pid in descendants(opened.pid) if b"lsp" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    ]
    os.kill(server, signal.SIGKILL)
    told = opened.until("heard('the language server ended')")
    assert ":Readhead restart server" in told
    opened.until("lenses() == ''", "no figures that nobody stands for")
    assert opened.lua("return require('readhead').status()") == "readhead off"
    opened.command("Readhead restart server")
    opened.settled()
    opened.command("Readhead restart server")  # one that runs
    opened.until("require('readhead').status() ~= 'readhead ready'")
    opened.settled()
    assert program_file.read_text("utf-8") == GOOD


def test_a_server_that_hangs_is_started_again_and_none_runs_where_the_editor_does(editor: Path, tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "workspace")
    path, starts, server = root / "programs" / "near.py", tmp_path / "starts", tmp_path / "hangs.py"
    path.write_text(GOOD, "utf-8")
    server.write_text(HANGS, "utf-8")
    init = setup(cmd=[sys.executable, str(server), str(starts)], autostart=False)
    with neovim(editor, tmp_path / "editor", init=init) as started:
        started.command(f"cd {root}")
        started.edit(path)
        started.command("Readhead restart server")
        started.until("require('readhead').status() == 'readhead starting'")
        started.command("Readhead restart server")
        again = f"#vim.fn.readfile('{starts}') == 2"
        started.until(f"{again} and require('readhead').status() == 'readhead starting'", patience=20)
        assert started.lua("return said") == []
        started.lua("vim.lsp.stop_client(vim.tbl_keys(vim.lsp.buf_get_clients()), true)")
    assert starts.read_text("utf-8").split() == [str(PLUGIN)] * 2


def test_without_readhead_the_user_is_told_what_to_do(editor: Path, tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "workspace")
    path = root / "programs" / "near.py"
    path.write_text(GOOD, "utf-8")
    with neovim(editor, tmp_path / "editor", init="", PATH="/usr/bin:/bin") as started:
        started.edit(path)
        told = started.until("heard('there is no `readhead`')")
        assert str(root / ".venv/bin/readhead") in told
        assert "pip install readhead" in told
        started.command("edit")
        assert started.lua("return #said") == 1
        started.command("Readhead flip")
        assert started.lua("return said[2].text").startswith("Readhead does not run here")
        started.command("checkhealth readhead")
        assert any("there is no `readhead`" in line for line in started.lines())


def test_readhead_is_found_in_the_workspace_but_not_run_where_that_is_not_trusted(editor: Path, tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "workspace")
    path = root / "programs" / "near.py"
    path.write_text(GOOD, "utf-8")
    inside = root / ".venv" / "bin" / "readhead"
    inside.parent.mkdir(parents=True)
    inside.write_text(f'#!/bin/sh\necho run >> {root}/ran\nexec {sys.executable} -m readhead "$@"\n', "utf-8")
    inside.chmod(0o755)
    untrusting = "require('readhead').setup({ trusted = function(root) return false end })"
    with neovim(editor, tmp_path / "untrusting", init=untrusting, PATH="/usr/bin:/bin") as started:
        started.edit(path)
        started.command("checkhealth readhead")
        assert any("it is not in PATH" in line for line in started.lines())
        assert not any("the workspace's .venv" in line for line in started.lines())
        started.command("bwipeout")
        started.command("Readhead trust off")
        assert not (root / "ran").exists()
        started.command("Readhead trust")
        started.until("lenses() ~= ''")
        assert (root / "ran").read_text("utf-8") == "run\n"
        started.command("Readhead trust off")
        started.until("lenses():find('the workspace is not trusted', 1, true)")
        (root / "ran").unlink()
    with neovim(editor, tmp_path / "editor", init="", PATH="/usr/bin:/bin") as started:
        started.edit(path)
        started.until("lenses() ~= ''")
        assert (root / "ran").read_text("utf-8") == "run\n"


def test_a_workspace_that_is_not_trusted_runs_nothing_until_it_is(
    editor: Path, own_workspace: Path, tmp_path: Path
) -> None:
    path = own_workspace / "programs" / "near.py"
    path.write_text(BROKEN, "utf-8")
    with neovim(editor, tmp_path / "editor", init=setup(trusted=False)) as started:
        started.edit(path)
        started.until("#vim.diagnostic.get(0) == 3", "findings")
        started.until("lenses():find('the workspace is not trusted', 1, true)")
        assert engines_of(own_workspace) == []
        started.write(GOOD, save=True)
        started.command("Readhead flip L0H3")
        started.until("heard('not trusted: nothing of it runs')")
        started.command("Readhead trust")
        started.settled()
        started.command("checkhealth readhead")
        assert any("it is trusted" in line for line in started.lines())


def test_health_tells_where_things_are_and_how_they_stand(opened: Neovim, shared_workspace: Path) -> None:
    opened.command("checkhealth readhead")
    text = "\n".join(opened.lines())
    assert f"readhead: {sys.executable} (option cmd)" in text
    assert f"workspace: {shared_workspace}" in text
    assert "language server: attached, version 0." in text
    assert "engine: ready" in text
    assert "ERROR" not in text
    assert "WARN" not in text


def test_other_python_files_are_left_alone(editor: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.py"
    path.write_text("x = 1\n", "utf-8")
    with neovim(editor, tmp_path / "editor") as started:
        started.edit(path)
        assert started.lua("return require('readhead').status()") == ""
        assert [pid for pid in descendants(started.pid) if "lsp" in Path(f"/proc/{pid}/cmdline").read_text()] == []
        started.command("checkhealth readhead")
        assert any("no readhead.toml from" in line for line in started.lines())


def test_an_unknown_option_is_told(editor: Path, tmp_path: Path) -> None:
    init = "_G.early = {} vim.notify = function(text) table.insert(early, text) end " + setup(autostrt=False)
    with neovim(editor, tmp_path / "editor", init=init) as started:
        (told,) = started.lua("return early")
        assert '"autostrt"' in told
        assert "autostart" in told


# ---- other ways to start it, and its help ----------------------------------------------------------------------------


def test_the_editors_own_way_starts_it_too(editor: Path, program_file: Path, tmp_path: Path) -> None:
    program_file.write_text(GOOD, "utf-8")
    init = setup(autostart=False) + "\nif vim.lsp.enable then vim.lsp.enable('readhead') end"
    with neovim(editor, tmp_path / "editor", init=init) as started:
        if started.lua("return vim.lsp.enable == nil"):
            pytest.skip("this Neovim has no `vim.lsp.enable`; 0.11 has")
        started.edit(program_file)
        started.settled()
        assert started.until("#blame() == 2 and blame()")
        (server,) = [pid for pid in descendants(started.pid) if "lsp" in Path(f"/proc/{pid}/cmdline").read_text()]
        assert Path(f"/proc/{server}/cwd").resolve() == PLUGIN
        started.command("Readhead flip")
        started.until("lenses():find('L0H3 is program', 1, true)")
        started.command("Readhead flip")
        started.until("lenses():find('L0H3 is neural', 1, true)")
        assert started.lua("return #vim.lsp.get_clients()") == 1


def test_every_command_and_option_is_in_the_help(editor: Path, tmp_path: Path) -> None:
    copy = tmp_path / "plugin"
    shutil.copytree(PLUGIN, copy)  # the tags are written beside the help
    with neovim(editor, tmp_path / "editor") as started:
        started.command(f"helptags {copy / 'doc'}")
        started.lua(f"vim.opt.runtimepath:prepend({json.dumps(str(copy))})")
        names = started.lua("return require('readhead.commands').names()")
        for name in names:
            started.command(f"help :Readhead-{name}")
        for name in ("cmd", "autostart", "trusted", "blame", "lenses", "server", "capabilities"):
            started.command(f"help readhead-option-{name}")
        started.command("help readhead")
        assert started.lua("return vim.fn.expand('%:t')") == "readhead.txt"
