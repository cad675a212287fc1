"""What a client sets holds where it can be meant; the rest is told."""

from __future__ import annotations

from typing import Any

import pytest

from readhead_server.options import ServerOptions


@pytest.mark.parametrize("given", [None, [], "x", 3, {}])
def test_without_options_the_defaults_hold(given: Any) -> None:
    assert ServerOptions().updated(given) == (ServerOptions(), [])


def test_options_may_be_in_either_case_and_keep_what_they_do_not_name() -> None:
    first, problems = ServerOptions(trusted=False).updated({"scoreWhileTyping": False, "least_lift": 0.1, "pause": 1})
    assert (first, problems) == (
        ServerOptions(trusted=False, score_while_typing=False, least_lift=0.1, pause=1), []
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"colour": 1}, "unknown option 'colour'"),
        ({"trusted": 1}, "trusted = 1 is not true or false"),
        ({"blame": "yes"}, "blame = 'yes' is not true or false"),
        ({"pause": True}, "pause = True is not a number"),
        ({"goodLift": "0.1"}, "goodLift = '0.1' is not a number"),
    ],
)
def test_what_cannot_be_meant_is_told_and_the_rest_holds(given: dict[str, Any], problem: str) -> None:
    assert ServerOptions().updated(given | {"perplexity": False}) == (ServerOptions(perplexity=False), [problem])
