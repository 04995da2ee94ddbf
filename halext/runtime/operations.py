"""The table of everything that `/hx` offers: written once, served by the web, used by the command line and the library.

A verb is an async function of the app, the caller and its parameters; the decorator adds where it is found and which
right it needs. `halext_web` mounts the table as routes and describes it in OpenAPI; `runtime.control` calls it here or,
with the same types, over HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_type_hints

from halext.accounts.audit.types import Audit
from halext.accounts.policy import allowed, require_fresh
from halext.accounts.types import Caller, Permission
from halext.errors import Forbidden
from halext.runtime import auditing
from halext.runtime.shapes import Params

P = TypeVar("P", bound=Params)
R = TypeVar("R")
A = TypeVar("A")
Method = Literal["GET", "POST", "PUT", "DELETE"]

OPERATIONS: list[Operation[Any, Any]] = []


@dataclass(frozen=True, slots=True)
class Operation(Generic[P, R]):
    """One verb with its place, its right and its types."""

    name: str
    method: Method
    path: str
    """Below the server's root, with `{field}` for parameters that the path carries: `/hx/nodes/{name}`."""
    permission: Permission
    params: type[P]
    result: Any
    """The type of the answer, as msgspec reads it."""
    summary: str
    verb: Callable[[Any, Caller, P], Awaitable[R]]
    needs_house: bool
    """Whether it needs people and a database, which a fleet that the library opens by itself does not have."""
    fresh: bool = False
    """Whether a sign-in of more than an hour ago must be renewed first."""
    also: Permission | None = None
    """A second right that it needs, such as that of asking models."""

    async def __call__(self, app: Any, caller: Caller, params: P) -> R:
        """Run it for this caller, and put it on record where it matters.

        Raises `Forbidden` without the right, `SignInAgain`, whatever the verb raises, and `DatabaseUnavailable` when it
        was done and can't be put on record yet.
        """
        audit: Audit | None = getattr(app, "audit", None)  # a fleet of the library has none
        if audit is None or not auditing.is_recorded(self.method, self.permission):
            return await self._run(app, caller, params)
        subject, details = auditing.written(params, self.path)
        try:
            result = await self._run(app, caller, params)
        except BaseException as error:
            outcome, code = auditing.outcome(error)
            audit.record(self.action, caller, subject, outcome, **details | {"why": code})
            raise
        details |= auditing.made(result)
        if auditing.is_durable(self.method, self.permission):
            await audit.write(self.action, caller, subject, "ok", **details)
        else:
            audit.record(self.action, caller, subject, "ok", **details)
        return result

    @property
    def rights(self) -> tuple[Permission, ...]:
        """All that it needs."""
        return (self.permission,) if self.also is None else (self.permission, self.also)

    @property
    def action(self) -> str:
        """What it is called in the audit log, such as `people.set-role`."""
        return f"{self.verb.__module__.rpartition('.')[2]}.{self.name.replace('_', '-')}"

    async def _run(self, app: Any, caller: Caller, params: P) -> R:
        for right in self.rights:
            if not allowed(caller, right):
                raise Forbidden(f"{self.summary.rstrip('.')} needs the right “{right}”; ask an administrator.")
        if self.fresh:
            require_fresh(caller, self.permission, app.clock.now())
        return await self.verb(app, caller, params)


def operation(
    method: Method, path: str, permission: Permission, *, fresh: bool = False, also: Permission | None = None
) -> Callable[[Callable[[A, Caller, P], Awaitable[R]]], Operation[P, R]]:
    """Put a verb on the table, with the right that it needs, and perhaps a second one.

    `fresh` is for what changes who gets in, or where secrets and questions go.
    """

    def register(verb: Callable[[A, Caller, P], Awaitable[R]]) -> Operation[P, R]:
        hints = get_type_hints(verb)
        entry: Operation[P, R] = Operation(
            name=verb.__name__,
            method=method,
            path=path,
            permission=permission,
            params=hints["params"],
            result=hints["return"],
            summary=(verb.__doc__ or verb.__name__).strip().splitlines()[0],
            verb=verb,
            needs_house=next(iter(hints.values())).__name__ == "App",
            fresh=fresh,
            also=also,
        )
        OPERATIONS.append(entry)
        return entry

    return register
