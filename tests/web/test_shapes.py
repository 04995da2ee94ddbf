"""What this door reads and writes by itself."""

from __future__ import annotations

import msgspec
import pytest

from halext.errors import AllBusy
from halext.types import RequestId
from halext_web.failures import problem
from halext_web.shapes import FirstAdmin, Problem, SignIn


@pytest.mark.parametrize("shape", [SignIn, FirstAdmin])
def test_a_field_too_many_is_an_error(shape: type[msgspec.Struct]) -> None:
    fields = {"name": "a", "password": "b", "code": "c"}
    needed = {name: fields[name] for name in shape.__struct_fields__}
    msgspec.convert(needed, shape)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(needed | {"role": "admin"}, shape)


@pytest.mark.parametrize("wait", [None, 2.5])
def test_problems_are_as_they_are_described(wait: float | None) -> None:
    body = problem(AllBusy(retry_after_s=wait), RequestId("r1"))
    assert msgspec.convert(body, Problem).retry_after_s == wait
    assert set(body) <= set(Problem.__struct_fields__)
