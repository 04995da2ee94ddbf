"""What every page has."""

from __future__ import annotations

import httpx
import pytest


@pytest.mark.parametrize("path", ["/", "/nodes", "/hx/docs"])
async def test_pages_are_whole(member: httpx.AsyncClient, path: str) -> None:
    page = (await member.get(path)).text
    assert page.count("<h1") == 1
    assert '<html lang="en">' in page
    assert 'href="#main"' in page
    assert f'<a href="{path}" aria-current="page">' in page
    assert "Mia" in page
    assert len(page.encode()) < 60_000
