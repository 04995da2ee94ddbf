"""The way to an endpoint, one step at a time: for `halext node test`, which names the step that fails."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from halext.errors import Unreachable
from halext.types import Clock
from halext.upstream import Endpoint
from halext.upstreams.address import place, refusal, unwrapped_text
from halext.upstreams.http import PROBE, Door, system_resolve

Stage = Literal["name", "address", "connect", "TLS"]


@dataclass(frozen=True, slots=True)
class Milestone:
    """One step of the way."""

    stage: Stage
    ok: bool
    detail: str
    seconds: float | None = None


async def trace(door: Door, endpoint: Endpoint, clock: Clock) -> list[Milestone]:
    """Name, address, connection and TLS, up to the first that fails. Sends no request."""
    if endpoint.via == "tunnel":
        way_in = await _timed("connect", clock, lambda: _knock(door, endpoint))
        return [Milestone("name", ok=True, detail="tunnel: its computer dials in"), way_in]
    spot = place(endpoint.url)
    way = [found := await _timed("name", clock, lambda: _name(spot.host, spot.port, literal=spot.literal is not None))]
    if not found.ok:
        return way
    addresses = found.detail.split(", ")
    rule = door.rule_for(endpoint)
    reasons = [why for address in addresses if (why := refusal(address, spot.scheme, spot.port, rule))]
    way.append(Milestone("address", not reasons, reasons[0] if reasons else "allowed for this node"))
    if reasons:
        return way
    way.append(await _timed("connect", clock, lambda: _connect(addresses[0], spot.port, None, None)))
    if way[-1].ok and spot.scheme == "https":
        context = ssl.create_default_context()
        way.append(await _timed("TLS", clock, lambda: _connect(addresses[0], spot.port, context, spot.host)))
    return way


async def _timed(stage: Stage, clock: Clock, step: Callable[[], Awaitable[str]]) -> Milestone:
    began = clock.monotonic()
    try:
        async with asyncio.timeout(PROBE.connect_s):
            detail = await step()
    except TimeoutError:
        return Milestone(stage, ok=False, detail=f"no answer within {PROBE.connect_s:.0f} s; is it switched on?")
    except ssl.SSLCertVerificationError as error:
        return Milestone(stage, ok=False, detail=f"the certificate is not trusted: {error.verify_message}")
    except Unreachable as error:
        return Milestone(stage, ok=False, detail=error.message)
    except OSError as error:
        return Milestone(stage, ok=False, detail=error.strerror or str(error))
    return Milestone(stage, ok=True, detail=detail, seconds=clock.monotonic() - began)


async def _name(host: str, port: int, *, literal: bool) -> str:
    if literal:
        return host
    return ", ".join(unwrapped_text(address) for address in await system_resolve(host, port))


async def _knock(door: Door, endpoint: Endpoint) -> str:
    channel = await door.channel(endpoint, asyncio.Protocol())
    channel.close()
    return f"through the tunnel to port {place(endpoint.url).port}"


async def _connect(address: str, port: int, tls: ssl.SSLContext | None, name: str | None) -> str:
    _, writer = await asyncio.open_connection(address, port, ssl=tls, server_hostname=name)
    writer.close()
    await writer.wait_closed()
    return "certificate trusted" if tls else f"to {address} port {port}"
