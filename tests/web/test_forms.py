"""Forms: small, urlencoded, and nothing else."""

from __future__ import annotations

import httpx
import pytest

from halext.errors import InvalidInput
from halext_web.forms import need

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"name=Mia&password=battery+staple", 303),
        (b"name=no&name=Mia&password=battery+staple", 303),
        (b"name=Mia", 422),
        (b"name=&password=x", 422),
        (b"", 422),
        (b"&".join(b"a%d=1" % i for i in range(30)), 400),
        (b"name=%ff%fe", 400),
        (b"name=Mia%00&password=battery+staple", 400),
        (b"name=Mia&password=wrong+password", 401),
        (b"x=" + b"y" * 70_000, 413),
    ],
)
async def test_reading(stranger: httpx.AsyncClient, body: bytes, status: int) -> None:
    answer = await stranger.post("/hx/session", content=body, headers=FORM)
    assert answer.status_code == status
    if status != 303:
        assert answer.headers["content-type"].startswith("text/html")
        assert 'role="alert"' in answer.text


def test_a_field_that_must_be_filled_in() -> None:
    assert need({"name": "x"}, "name") == "x"
    with pytest.raises(InvalidInput, match="name"):
        need({"name": ""}, "name")
