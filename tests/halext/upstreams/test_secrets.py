"""Secret headers: kept for a moment, checked, never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from halext.errors import KeyRefused, WrongKey
from halext.testing.clock import ManualClock
from halext.types import EndpointId, NodeName, SecretRef
from halext.upstream import Endpoint
from halext.upstreams.secrets import KEPT_S, SecretHeaders, quoted

ENDPOINT = Endpoint(EndpointId("mac/openai"), NodeName("mac"), "openai", "https://mac:443", secret=SecretRef("mac"))
CANARY = "canary-5f1e"


class Vault:
    """Opens the same headers each time and counts."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.opened: list[SecretRef] = []

    async def __call__(self, ref: SecretRef) -> Mapping[str, str]:
        self.opened.append(ref)
        return self.headers


async def test_headers_are_lower_case_and_kept_for_a_moment() -> None:
    vault, clock = Vault({"Authorization": CANARY}), ManualClock()
    secrets = SecretHeaders(vault, clock)
    for _ in range(3):
        assert await secrets.headers(ENDPOINT) == {"authorization": CANARY}
    assert vault.opened == ["mac"]
    await clock.advance(KEPT_S)
    await secrets.headers(ENDPOINT)
    assert len(vault.opened) == 2
    secrets.forget(EndpointId("mac/other"))
    await secrets.headers(ENDPOINT)
    assert len(vault.opened) == 2
    secrets.forget(ENDPOINT.id)
    await secrets.headers(ENDPOINT)
    assert len(vault.opened) == 3


async def test_without_a_clock_nothing_is_kept() -> None:
    vault = Vault({"x": "y"})
    secrets = SecretHeaders(vault, None)
    await secrets.headers(ENDPOINT)
    await secrets.headers(ENDPOINT)
    assert len(vault.opened) == 2


async def test_an_endpoint_without_secret_has_none() -> None:
    vault = Vault({"x": "y"})
    assert await SecretHeaders(vault, None).headers(replace(ENDPOINT, secret=None)) == {}
    assert await SecretHeaders(None, None).headers(ENDPOINT) == {}
    assert vault.opened == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": CANARY},
        {"content-LENGTH": CANARY},
        {"Transfer-Encoding": CANARY},
        {"Connection": CANARY},
        {"Accept-Encoding": CANARY},
        {"X-Key": f"{CANARY}\r\nX: y"},
        {"X-Key": f"{CANARY}\n"},
        {"X-Key": f"{CANARY}\0"},
        {"X-Key": f"{CANARY}…"},
        {"X Key": CANARY},
        {"": CANARY},
        {"X:": CANARY},
    ],
)
async def test_headers_that_would_break_the_frame_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(KeyRefused, match="--header") as caught:
        await SecretHeaders(Vault(headers), None).headers(ENDPOINT)
    assert (caught.value.node, caught.value.endpoint) == ("mac", "mac/openai")
    assert CANARY not in repr(caught.value)


async def test_a_vault_that_does_not_open_is_said_so() -> None:
    async def reveal(_ref: SecretRef) -> Mapping[str, str]:
        raise WrongKey

    with pytest.raises(KeyRefused, match="master key") as caught:
        await SecretHeaders(reveal, None).headers(ENDPOINT)
    assert isinstance(caught.value.__cause__, WrongKey)


def test_a_key_is_known_as_a_server_might_quote_it() -> None:
    assert quoted({"authorization": "Bearer abc-def-ghi", "x": "no"}) == (b"Bearer abc-def-ghi", b"abc-def-ghi")
    assert quoted({}) == ()
