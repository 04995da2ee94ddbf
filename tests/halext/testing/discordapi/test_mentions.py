from __future__ import annotations

from typing import Any

import pytest

from halext.testing.discordapi.mentions import check, pings
from halext.testing.discordapi.refusal import Refusal

TEXT = "<@1> <@!2> <@&3> @everyone"


@pytest.mark.parametrize(
    ("allowed", "pinged"),
    [
        (None, {"1", "2", "&3", "@everyone", "9"}),
        ({"parse": []}, set()),
        ({"parse": ["users"]}, {"1", "2"}),
        ({"parse": ["everyone"], "roles": ["3"]}, {"@everyone", "&3"}),
        ({"parse": [], "users": [2]}, {"2"}),
        ({"parse": [], "replied_user": True}, {"9"}),
    ],
)
def test_who_is_pinged(allowed: dict[str, Any] | None, pinged: set[str]) -> None:
    assert pings(TEXT, allowed, replied_to=9) == pinged


@pytest.mark.parametrize("text", ["`<@1>`", "```\n@everyone <@1>\n```", "everyone @ here", "<@x>"])
def test_nobody_in_code(text: str) -> None:
    assert pings(text, None) == frozenset()


@pytest.mark.parametrize(
    "allowed",
    [{"parse": ["people"]}, {"parse": ["users"], "users": ["1"]}, {"parse": [], "roles": [str(n) for n in range(101)]}],
)
def test_what_is_refused(allowed: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        check(allowed)


def test_what_is_not() -> None:
    for allowed in (None, {}, {"parse": ["users"], "roles": ["1"]}, {"parse": ["users"], "users": []}):
        check(allowed)
