"""One error, four shapes."""

from __future__ import annotations

import httpx
import pytest

from halext.errors import AllBusy
from halext.types import RequestId
from halext_web.failures import problem


def test_a_problem_says_what_and_how_long() -> None:
    assert problem(AllBusy("Busy.", retry_after_s=12), RequestId("r1")) == {
        "code": "all_busy",
        "message": "Busy.",
        "request_id": "r1",
        "retry_after_s": 12,
    }
    assert "retry_after_s" not in problem(AllBusy("Busy."), RequestId("r1"))


@pytest.mark.parametrize(
    ("path", "accept", "content_type"),
    [
        ("/v1/models", "text/html", "application/json"),
        ("/api/tags", "text/html", "application/json"),
        ("/hx/me", "text/html", "application/problem+json"),
        ("/nodes", "application/json", "application/problem+json"),
        ("/nodes", "text/html,*/*;q=0.8", "text/html; charset=utf-8"),
    ],
)
async def test_the_shape_follows_the_address(
    stranger: httpx.AsyncClient, path: str, accept: str, content_type: str
) -> None:
    answer = await stranger.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (401, content_type)
    assert answer.headers["www-authenticate"] == 'Bearer realm="halext"'


async def test_a_stranger_who_opens_a_page_gets_the_way_in(stranger: httpx.AsyncClient) -> None:
    page = await stranger.get("/", headers={"Accept": "text/html"})
    assert 'name="password"' in page.text
