from __future__ import annotations

import re
from importlib import import_module
from pkgutil import iter_modules

import msgspec
import pytest

from halext.accounts.types import LOCAL, Caller, Permission, Role
from halext.errors import Forbidden
from halext.runtime import verbs
from halext.runtime.operations import OPERATIONS, Operation
from halext.runtime.shapes import Nothing

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
