"""Telegram's side of a webhook: it brings one update after the other, and tries again until each is taken."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from halext.testing.botapi.updates import Updates, Webhook
from halext.types import Clock

RETRY_WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""Between tries, while a webhook answers anything but 2xx."""
TIMEOUT_S = 30.0
"""Real seconds that one try may take."""
PORTS = frozenset({443, 80, 88, 8443})
"""Those that Telegram delivers to. On the own machine any one will do."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def problem(webhook: Webhook) -> str:
    """Why Telegram won't deliver there; empty when it will. Plain http is for the own machine only."""
    try:
        parts = urlsplit(webhook.url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        return "bad webhook: invalid URL"
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", webhook.secret):
        return "secret token contains unallowed characters"
    if host in LOOPBACK and parts.scheme == "http":
        return ""
    if parts.scheme != "https":
        return "bad webhook: An HTTPS URL must be provided for webhook"
    return "" if port in PORTS else "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"


async def deliver(updates: Updates, clock: Clock, answered: Callable[[dict[str, Any]], None]) -> None:
    """Run for ever. A call that a webhook makes by its answer goes to `answered`."""
    failures = 0
    while True:
        webhook, delivery = await updates.next_for_webhook()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                call = await _post(webhook, json.dumps(delivery.body).encode())
        except (OSError, ValueError, TimeoutError) as error:
            updates.last_error = str(error) or type(error).__name__
            updates.changed()
            await clock.sleep(RETRY_WAITS_S[min(failures, len(RETRY_WAITS_S) - 1)])
            failures += 1
            continue
        failures = 0
        updates.last_error = ""
        delivery.taken()
        updates.changed()
        if call:
            answered(call)


async def _post(webhook: Webhook, body: bytes) -> dict[str, Any]:
    """Bring one update; the method call in the answer, if there is one. ValueError for any status but 2xx."""
    parts = urlsplit(webhook.url)
    is_tls = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if is_tls else 80), ssl=is_tls or None
    )
    try:
        writer.write(_head(webhook, len(body)) + body)
        await writer.drain()
        head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status = head.split(b" ", 2)[1:2]
    if not status or not status[0].startswith(b"2"):
        raise ValueError(f"Wrong response from the webhook: {head.split(b' ', 1)[-1].splitlines()[0:1]}")
    return _call(answer)


def _head(webhook: Webhook, length: int) -> bytes:
    parts = urlsplit(webhook.url)
    lines = [
        # 1.0 because it has no chunks: whatever comes until the end is the answer
        f"POST {parts.path or '/'}{'?' if parts.query else ''}{parts.query} HTTP/1.0",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *([f"X-Telegram-Bot-Api-Secret-Token: {webhook.secret}"] if webhook.secret else []),
        *("Connection: close", "", ""),
    ]
    return "\r\n".join(lines).encode()


def _call(answer: bytes) -> dict[str, Any]:
    try:
        value = json.loads(answer)
    except ValueError:
        return {}
    return value if isinstance(value, dict) and "method" in value else {}
