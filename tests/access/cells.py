"""The cells of the matrix: every route and command, for everybody, with every kind of id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from halext.accounts.types import Permission
from halext.runtime.operations import Operation
from halext_web.api.hx import operations
from halext_web.app import all_routes
from halext_web.routes import Route

from .bodies import CLOSED, NEVER, Body, bodies_of
from .kinds import FIELD, KINDS, Kind, kind_of
from .rights import ROLES, Outcome, Subject, Whose, expected

SCOPE_SETS: list[frozenset[str] | None] = [
    None,
    frozenset(),
    *(frozenset({right.value}) for right in Permission if right is not Permission.PUBLIC),
]
"""What API tokens are limited to: not at all, to nothing, to each right alone."""


def subjects() -> list[Subject]:
    """Everybody, with each credential that they may have. A new kind of person or credential is a line here."""
    people = {"Mia": "member", "Sam": "member", "Gus": "guest", "Ada": "admin"}
    found = [Subject("nobody", "none", None), Subject("owner", "local", ROLES["admin"], has_account=False)]
    found += [Subject("Dora", shown, None) for shown in ("cookie", "bearer", "basic")]
    for name, role in people.items():
        found += [Subject(name, shown, ROLES[role]) for shown in ("cookie", "bearer", "basic")]
        # Each right where it is worth most: Ada's that only she has, and Mia's that everybody has.
        worth = {"Mia": ROLES["member"], "Ada": ROLES["admin"] - ROLES["member"]}.get(name, frozenset())
        limits = [scopes for scopes in SCOPE_SETS if scopes is not None and scopes <= worth] if worth else []
        found += [Subject(name, "bearer", ROLES[role], scopes) for scopes in limits]
    return found


@dataclass(frozen=True)
class Entry:
    """One route with one body, and what it names."""

    method: str
    path: str
    right: str
    body: Body
    key: str | None
    """The kind of what it names, a key of `KINDS`."""

    @property
    def name(self) -> str:
        """As in docs/access.md."""
        return f"{self.method} {self.path}"

    @property
    def kind(self) -> Kind | None:
        """What it names."""
        return KINDS[self.key] if self.key else None

    @property
    def is_safe(self) -> bool:
        """It changes nothing, so that things may be used more than once."""
        return self.method in {"GET", "HEAD"}


@dataclass(frozen=True)
class Cell:
    """One request that is to be made."""

    entry: Entry
    subject: Subject
    whose: Whose
    malformed: str = ""

    @property
    def expected(self) -> Outcome:
        """By the rule; two short lists aside, there is no exception from it."""
        kind = self.entry.kind
        ruled = expected(self.subject, self.entry.right, self.whose, kind.reach if kind else None)
        is_shut = self.entry.name in NEVER or self.entry.name in CLOSED
        return Outcome.FORBIDDEN if is_shut and ruled is not Outcome.UNKNOWN else ruled

    def __str__(self) -> str:
        return f"{self.entry.name}, {self.subject}, {self.whose}{f' ({self.malformed[:30]})' if self.malformed else ''}"


def entries() -> list[Entry]:
    """Every route of the table, once for each of its bodies. Raises `LookupError` for what nobody described."""
    known: dict[tuple[str, str], Operation[Any, Any]] = {
        (operation.method, operation.path): operation for operation in operations()
    }
    return [
        entry
        for route in all_routes()
        for method in route.methods
        for entry in _entries(route, method, known.get((method, route.path)))
    ]


def _entries(route: Route, method: str, operation: Operation[Any, Any] | None) -> Iterator[Entry]:
    named = kind_of(method, route.path)
    for body in bodies_of(method, route.path, operation):
        key = named[0] if named else body.names
        if not isinstance(route.permission, Permission):
            raise TypeError(f"{route.path} declares no permission")
        yield Entry(method, route.path, route.permission.value, body, key)


def cells(entry: Entry) -> Iterator[Cell]:
    """All requests for one entry."""
    kind = entry.kind
    for subject in subjects():
        for whose in whose_of(kind):
            if whose not in tried_by(subject):
                continue
            for malformed in kind.malformed if kind and whose is Whose.MALFORMED else [""]:
                yield Cell(entry, subject, whose, malformed)


def tried_by(subject: Subject) -> set[Whose]:
    """What somebody names. Bad ids are for one credential each: they come after the question of who asks."""
    if subject.scopes is not None:
        return {Whose.NOTHING, Whose.OWN, Whose.OTHERS, Whose.HOUSE}
    every = set(Whose) - (set() if subject.has_account else {Whose.OWN})
    return every - ({Whose.MALFORMED} if subject.shown in {"cookie", "basic"} or subject.name == "Sam" else set())


def whose_of(kind: Kind | None) -> list[Whose]:
    """What can be named of this kind."""
    if kind is None:
        return [Whose.NOTHING]
    there = [Whose.OWN, Whose.OTHERS] if kind.is_owned else [Whose.HOUSE]
    return there + ([Whose.MISSING] if kind.missing else []) + ([Whose.MALFORMED] if kind.malformed else [])


def target(path: str, ids: dict[str, str]) -> str:
    """The address with its fields filled in; the values stand in it as they are."""
    return FIELD.sub(lambda found: ids[found[1]], path)
