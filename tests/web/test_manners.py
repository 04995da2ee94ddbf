"""How a request must look: the limits, and one more than each."""

from __future__ import annotations

from typing import Any

import pytest

from halext.errors import BadRequest
from halext_web.manners import ADDRESS_MAX, HEADERS_MAX, OVERRIDES, check


def scope(headers: int = 1, path: bytes = b"/", query: bytes = b"", name: bytes = b"x") -> dict[str, Any]:
    return {"headers": [(name, b"1")] * headers, "raw_path": path, "query_string": query}


@pytest.mark.parametrize(
    "fits",
    [
        scope(),
        scope(headers=HEADERS_MAX),
        scope(path=b"/" + b"x" * (ADDRESS_MAX - 1)),
        scope(path=b"/", query=b"q" * (ADDRESS_MAX - 1)),
        scope(path=b"/%2f%20"),
    ],
)
def test_what_passes(fits: dict[str, Any]) -> None:
    check(fits)


@pytest.mark.parametrize(
    "wrong",
    [
        scope(headers=HEADERS_MAX + 1),
        scope(path=b"/" + b"x" * ADDRESS_MAX),
        scope(path=b"/", query=b"q" * ADDRESS_MAX),
        scope(path=b"/%00"),
        scope(query=b"a=%00"),
        *(scope(name=name) for name in sorted(OVERRIDES)),
    ],
)
def test_what_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        check(wrong)
