from __future__ import annotations

import re
from importlib import import_module
from pkgutil import iter_modules
from types import SimpleNamespace

import msgspec
import pytest

from halext.accounts.types import LOCAL, Caller, Permission, Role
from halext.errors import Forbidden, SignInAgain
from halext.runtime import verbs
from halext.runtime.operations import OPERATIONS, Operation
from halext.runtime.shapes import Nothing
from halext.testing.clock import ManualClock

for module in iter_modules(verbs.__path__):
    import_module(f"{verbs.__name__}.{module.name}")

ids = [f"{entry.method} {entry.path}" for entry in OPERATIONS]


def test_no_place_is_taken_twice() -> None:
    assert len(set(ids)) == len(ids)
    assert len({entry.name for entry in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("entry", OPERATIONS, ids=ids)
def test_every_operation_is_whole(entry: Operation[Nothing, object]) -> None:
    assert entry.path.startswith("/hx/")
    assert entry.summary.endswith(".")
    assert isinstance(entry.permission, Permission)
    assert entry.permission is not Permission.PUBLIC
    fields = {field.name for field in msgspec.structs.fields(entry.params)}
    assert set(re.findall(r"\{(\w+)\}", entry.path)) <= fields
    msgspec.json.schema(entry.result)
    msgspec.json.schema(entry.params)


@pytest.mark.parametrize("entry", OPERATIONS, ids=ids)
async def test_the_right_is_asked_for_before_anything_else(entry: Operation[Nothing, object]) -> None:
    with pytest.raises(Forbidden, match=entry.permission):
        await entry(None, Caller("guest", Role.GUEST, "token", scopes=frozenset()), Nothing())
    assert LOCAL.role is Role.ADMIN


def test_an_unknown_field_is_refused() -> None:
    for entry in OPERATIONS:
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            msgspec.convert({"no_such_field": 1}, entry.params)


FRESH = {
    "POST /hx/nodes",
    "POST /hx/nodes/{name}/join",
    "PUT /hx/keys/{name}",
    "DELETE /hx/keys/{name}",
    "POST /hx/admin/users",
    "PUT /hx/admin/users/{name}/role",
    "PUT /hx/admin/users/{name}/password",
    "POST /hx/admin/invites",
}
"""What a browser that was left open must not be enough for. Take nothing off without a reason."""


def test_what_changes_who_gets_in_or_where_secrets_go_needs_a_fresh_sign_in() -> None:
    assert {f"{entry.method} {entry.path}" for entry in OPERATIONS if entry.fresh} >= FRESH


@pytest.mark.parametrize("entry", [entry for entry in OPERATIONS if entry.fresh], ids=lambda entry: entry.name)
async def test_an_old_sign_in_is_not_enough(entry: Operation[Nothing, object]) -> None:
    app = SimpleNamespace(clock=ManualClock())
    old = Caller("ada", Role.ADMIN, "session", signed_in_at=app.clock.now() - 3600)
    with pytest.raises(SignInAgain):
        await entry(app, old, Nothing())
    with pytest.raises(SignInAgain, match=entry.permission):
        await entry(app, Caller("ada", Role.ADMIN, "token"), Nothing())
