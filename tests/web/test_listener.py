"""The socket: said in words when it can't be had."""

from __future__ import annotations

import socket

import pytest

from halext.errors import InvalidSetting, PortInUse
from halext_web.listener import base_url, bind, server


def test_any_free_port() -> None:
    with bind("127.0.0.1", 0) as found:
        port = found.getsockname()[1]
        assert port > 0
        assert base_url(found) == f"http://127.0.0.1:{port}"


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"port {port} .*--port"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.77"])
def test_an_address_that_is_not_ours(host: str) -> None:
    with pytest.raises(InvalidSetting):
        bind(host, 0)


def test_all_addresses_are_opened_at_the_nearest() -> None:
    with bind("0.0.0.0", 0) as found:
        assert base_url(found).startswith("http://127.0.0.1:")


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6_stands_in_brackets() -> None:
    with bind("::1", 0) as found:
        assert base_url(found).startswith("http://[::1]:")


def test_the_server_trusts_no_header_and_says_nothing_of_itself() -> None:
    async def app(scope: object, receive: object, send: object) -> None: ...

    config = server(app, lambda: None).config
    assert (config.proxy_headers, config.server_header, config.access_log) == (False, False, False)
    assert config.timeout_graceful_shutdown == 25
