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

from .bodies import CLOSED, KEPT_FROM, NEVER, Body, bodies_of
from .kinds import FIELD, KINDS, Kind, kind_of
from .rights import ROLES, SHARED, Demand, Outcome, Subject, Wants, Whose, expected

SCOPE_SETS: list[frozenset[str] | None] = [
    None,
    frozenset({"use", "own"}),
    *(frozenset({right.value}) for right in Permission if right is not Permission.PUBLIC),
]
"""What API tokens are limited to: not at all, to what one gets unasked, to each right alone."""


EVERY = ("cookie", "bearer", "basic", "jwt", "token jwt")


def subjects() -> list[Subject]:
    """Everybody, with each credential that they may have. A new kind of person or credential is a line here."""
    people = {"Mia": "member", "Gus": "guest", "Ada": "admin"}
    shown_by = {"Mia": EVERY, "Gus": ("bearer",), "Ada": ("cookie", "bearer", "jwt", "old cookie")}
    found = [Subject("nobody", "none", None), Subject("owner", "local", ROLES["admin"], has_account=False)]
    found += [Subject("Dora", shown, None) for shown in ("cookie", "bearer", "token jwt")]
    for name, role in people.items():
        found += [Subject(name, shown, ROLES[role]) for shown in shown_by[name]]
        # Each right where it is worth most: Ada's that only she has, and Mia's that everybody has.
        worth = {"Mia": ROLES["member"], "Ada": ROLES["admin"] - ROLES["member"]}.get(name, frozenset())
        limits = [scopes for scopes in SCOPE_SETS if scopes is not None and scopes <= worth] if worth else []
        found += [Subject(name, "bearer", ROLES[role], scopes) for scopes in limits]
        found += [Subject(name, "token jwt", ROLES[role], scopes) for scopes in limits[-1:]]
    return found


@dataclass(frozen=True)
class Entry:
    """One route with one body, and what it names."""

    method: str
    path: str
    rights: frozenset[str]
    body: Body
    does: str
    """The operation, if it is one."""
    is_fresh: bool
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
    def demand(self) -> Demand:
        """What is declared, and what it is to do."""
        wants = self.body.wants or wants_of(self.method, self.path)
        return Demand(self.rights, self.kind.reach if self.kind else None, wants, self.is_fresh, self.body.form)

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
        """By the rule; three short lists aside, there is no exception from it."""
        ruled = expected(self.subject, self.entry.demand, self.whose)
        is_shut = self.entry.name in NEVER or self.entry.name in CLOSED
        is_shut |= self.entry.does in KEPT_FROM and KEPT_FROM[self.entry.does](self.subject)
        return Outcome.FORBIDDEN if is_shut and ruled is not Outcome.UNKNOWN else ruled

    def __str__(self) -> str:
        return f"{self.entry.name}, {self.subject}, {self.whose}{f' ({self.malformed[:30]})' if self.malformed else ''}"


def entries() -> list[Entry]:
    """Every route of the table, once for each of its bodies. Raises `LookupError` for what nobody described."""
    known: dict[tuple[str, str], Operation[Any, Any]] = {
        (operation.method, operation.path): operation for operation in operations()
    }
    by_name = {operation.name: operation for operation in operations()}
    found = []
    for route in all_routes():
        for method in route.methods:
            operation = known.get((method, route.path))
            for body in bodies_of(method, route.path, operation):
                found.append(entry_of(route, method, body, by_name[body.does] if body.does else operation))
    return found


def entry_of(route: Route, method: str, body: Body, operation: Operation[Any, Any] | None) -> Entry:
    """One of them. Raises `TypeError` for a route that declares no right."""
    named = kind_of(method, route.path)
    if not all(isinstance(right, Permission) for right in route.rights):
        raise TypeError(f"{route.path} declares no permission")
    rights = frozenset(right.value for right in (*route.rights, *(operation.rights if operation else ())))
    return Entry(
        method=method,
        path=route.path,
        rights=rights,
        body=body,
        does=operation.name if operation else "",
        is_fresh=operation is not None and operation.fresh,
        key=named[0] if named else body.names,
    )


def wants_of(method: str, path: str) -> Wants:
    """What a route is to do with what it names: its owner's are deleting, sharing, and all that is about workspaces."""
    if method in {"GET", "HEAD"}:
        return Wants.READ
    is_owners = method == "DELETE" or path.endswith("/workspace") or path.startswith("/hx/workspaces/")
    return Wants.OWN if is_owners else Wants.WRITE


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
    """What somebody names. Who it is comes before what they name, so not every credential tries everything."""
    least = {Whose.NOTHING, Whose.OWN, Whose.HOUSE}
    match subject.name, subject.shown:
        case "Mia", "bearer" if subject.scopes is None:
            return set(Whose)
        case "Gus", "bearer":
            return least | {Whose.OTHERS, Whose.MISSING, *SHARED}
        case ("Mia", "cookie") | ("Mia", "token jwt") | ("Ada", "bearer") if subject.scopes is None:
            return least | {Whose.OTHERS, Whose.MISSING}
        case "owner", _:
            return set(Whose) - {Whose.OWN, Whose.MALFORMED}
        case _:
            return least


def whose_of(kind: Kind | None) -> list[Whose]:
    """What can be named of this kind."""
    if kind is None:
        return [Whose.NOTHING]
    there = [Whose.OWN, Whose.OTHERS] if kind.is_owned else [Whose.HOUSE]
    there += list(SHARED) if kind.share else []
    return there + ([Whose.MISSING] if kind.missing else []) + ([Whose.MALFORMED] if kind.malformed else [])


def target(path: str, ids: dict[str, str]) -> str:
    """The address with its fields filled in; the values stand in it as they are."""
    return FIELD.sub(lambda found: ids[found[1]], path)
