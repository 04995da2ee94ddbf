"""The rule that judges the matrix, and the page that shows what the tables declare."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from halext.accounts.types import Permission, Role
from halext_web.api.hx import operations
from halext_web.app import all_routes

from . import commands, kinds
from .bodies import BODIES, CLOSED, KEPT_FROM, NEVER, OVERRIDES
from .cells import entries
from .rights import ROLES, Demand, Outcome, Subject, Wants, Whose, expected, who

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
    assert expected(subject, Demand({right}, reach), whose) is outcome


READ, WRITE, OWN = Wants.READ, Wants.WRITE, Wants.OWN
DONE, FORBIDDEN, MISSING = Outcome.DONE, Outcome.FORBIDDEN, Outcome.MISSING


@pytest.mark.parametrize(
    ("whose", "outcomes"),
    [
        (Whose.OWN, (DONE, DONE, DONE)),
        (Whose.AS_MEMBER, (DONE, DONE, FORBIDDEN)),
        (Whose.AS_VIEWER, (DONE, FORBIDDEN, FORBIDDEN)),
        (Whose.NO_LONGER, (MISSING, MISSING, MISSING)),
    ],
)
def test_the_rule_of_what_is_shared(whose: Whose, outcomes: tuple[Outcome, ...]) -> None:
    assert tuple(expected(MIA, Demand({"own"}, wants=wants), whose) for wants in (READ, WRITE, OWN)) == outcomes


@pytest.mark.parametrize(
    ("subject", "outcome"),
    [
        (ADA, FORBIDDEN),
        (Subject("Ada", "cookie", ROLES["admin"]), DONE),
        (Subject("Ada", "old cookie", ROLES["admin"]), FORBIDDEN),
        (Subject("Ada", "bearer", ROLES["admin"], frozenset({"manage-keys"})), DONE),
        (OWNER, DONE),
    ],
)
def test_the_rule_of_fresh_proof(subject: Subject, outcome: Outcome) -> None:
    assert expected(subject, Demand({"manage-keys"}, is_fresh=True), Whose.NOTHING) is outcome


def test_all_declared_rights_are_needed() -> None:
    limited = Subject("Mia", "bearer", ROLES["member"], frozenset({"own"}))
    assert expected(limited, Demand({"own", "use"}), Whose.OWN) is FORBIDDEN
    assert expected(MIA, Demand({"own", "use"}), Whose.OWN) is DONE


def test_every_role_and_right_has_its_place() -> None:
    assert set(ROLES) == set(Role)
    assert set().union(*ROLES.values()) == set(Permission)


def test_the_page_says_what_the_rule_says_of_every_route_and_command() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| ([a-z -]+) \| ([a-z, ]+) \|$", PAGE.read_text(), re.MULTILINE)
    declared = {f"{method} {route.path}": set(route.rights) for route in all_routes() for method in route.methods}
    declared |= {f"/{said.command.name}": set(said.command.rights) for said in commands.entries()}
    assert {name: set(rights.split(" and ")) for name, rights, _ in rows} == declared, "run python docs/generate.py"
    assert [name for name, rights, told in rows if told != who(rights.split(" and "))] == []


def test_what_is_described_is_there() -> None:
    """What belonged to a route that is gone would be an exception that nobody sees."""
    routes = {entry.name for entry in entries()}
    assert set(BODIES) | set(CLOSED) | NEVER <= routes
    assert set(OVERRIDES) | set(KEPT_FROM) <= {operation.name for operation in operations()}
    used = {entry.key for entry in entries()} | {said.key for said in commands.entries()}
    assert set(kinds.KINDS) <= used


def test_a_route_that_nobody_described_fails() -> None:
    with pytest.raises(LookupError, match="how to make one"):
        kinds.kind_of("GET", "/hx/secrets/{id}")
