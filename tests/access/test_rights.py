"""The rule that judges the matrix, and the page that shows what the tables declare."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from halext.accounts.types import Permission, Role
from halext_web.api.hx import operations

from . import commands, kinds
from .bodies import BODIES, CLOSED, NEVER, OVERRIDES
from .cells import entries
from .rights import ROLES, Outcome, Subject, Whose, expected, who

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
MIA = Subject("Mia", "bearer", ROLES["member"])
ADA = Subject("Ada", "bearer", ROLES["admin"])
LIMITED = Subject("Ada", "bearer", ROLES["admin"], frozenset({"own"}))
OWNER = Subject("owner", "local", ROLES["admin"], has_account=False)
NOBODY = Subject("nobody", "none", None)


@pytest.mark.parametrize(
    ("subject", "right", "whose", "reach", "outcome"),
    [
        (NOBODY, "public", Whose.NOTHING, None, Outcome.DONE),
        (NOBODY, "own", Whose.OTHERS, None, Outcome.UNKNOWN),
        (MIA, "own", Whose.OWN, None, Outcome.DONE),
        (MIA, "own", Whose.OTHERS, None, Outcome.MISSING),
        (MIA, "own", Whose.MISSING, None, Outcome.MISSING),
        (MIA, "own", Whose.MALFORMED, None, Outcome.UNREADABLE),
        (MIA, "manage-nodes", Whose.MALFORMED, None, Outcome.FORBIDDEN),
        (ADA, "own", Whose.OTHERS, None, Outcome.MISSING),
        (ADA, "account", Whose.OTHERS, "manage-people", Outcome.DONE),
        (ADA, "manage-nodes", Whose.HOUSE, None, Outcome.DONE),
        (LIMITED, "manage-nodes", Whose.HOUSE, None, Outcome.FORBIDDEN),
        (LIMITED, "own", Whose.OTHERS, "manage-people", Outcome.MISSING),
        (LIMITED, "public", Whose.NOTHING, None, Outcome.DONE),
        (OWNER, "own", Whose.OTHERS, None, Outcome.NOBODYS),
        (OWNER, "manage-keys", Whose.HOUSE, None, Outcome.DONE),
    ],
)
def test_the_rule(subject: Subject, right: str, whose: Whose, reach: str | None, outcome: Outcome) -> None:
    assert expected(subject, right, whose, reach) is outcome


def test_every_role_and_right_has_its_place() -> None:
    assert set(ROLES) == set(Role)
    assert set().union(*ROLES.values()) == set(Permission)


def test_the_page_says_what_the_rule_says_of_every_route_and_command() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| ([a-z-]+) \| ([a-z, ]+) \|$", PAGE.read_text(), re.MULTILINE)
    declared = {entry.name: entry.right for entry in entries()}
    declared |= {f"/{said.command.name}": said.command.permission.value for said in commands.entries()}
    assert {name: right for name, right, _ in rows} == declared, "run python docs/generate.py"
    assert [name for name, right, told in rows if told != who(right)] == []


def test_what_is_described_is_there() -> None:
    """What belonged to a route that is gone would be an exception that nobody sees."""
    routes = {entry.name for entry in entries()}
    assert set(BODIES) | set(CLOSED) | NEVER <= routes
    assert set(OVERRIDES) <= {operation.name for operation in operations()}
    used = {entry.key for entry in entries()} | {said.key for said in commands.entries()}
    assert set(kinds.KINDS) <= used


def test_a_route_that_nobody_described_fails() -> None:
    with pytest.raises(LookupError, match="how to make one"):
        kinds.kind_of("GET", "/hx/secrets/{id}")
