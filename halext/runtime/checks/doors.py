"""Passwords and tokens don't travel in the clear, and proxies are believed exactly where there are some."""

from __future__ import annotations

from functools import partial
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from halext.runtime.app import App
from halext.runtime.shapes import Finding
from halext.upstreams.address import is_home

COUNTED = "Limits count by address: whoever chooses theirs is never stopped."
SAME = "Everyone seems to come from the proxy's address: one who mistypes their password stops everyone's sign-in."


async def look(app: App) -> list[Finding]:
    """TLS before the network, and trust in proxies as they are seen."""
    host, public = app.settings.host, app.settings.public_url or ""
    proxies = _too_wide(app) + _without_trust(app, public) + _seen(app)
    plain = Finding(check="doors", level="ok", what="Nothing is offered to the network over plain http.")
    if not _is_loopback(host) and not public.startswith("https://"):
        plain = Finding(
            check="doors",
            level="error",
            what=f"halext listens on {host} over plain http.",
            why="Passwords and tokens can be read on the way.",
            fix="listen on 127.0.0.1 behind nginx or Caddy, and set HALEXT_PUBLIC_URL=https://…",
        )
    return [plain, *(proxies or [Finding(check="proxies", level="ok", what="Trust in proxies fits what is seen.")])]


def _too_wide(app: App) -> list[Finding]:
    found = []
    for cidr in app.settings.trusted_proxies:
        if not is_home(cidr):
            is_everyone = ip_network(cidr, strict=False).prefixlen == 0
            what = f"HALEXT_TRUSTED_PROXIES trusts {'everyone' if is_everyone else f'the public network {cidr}'}."
            fix = "name your proxy alone, such as HALEXT_TRUSTED_PROXIES=127.0.0.1/32"
            made = partial(Finding, check="proxies", what=what, why=COUNTED, fix=fix)
            found.append(made(level="error" if is_everyone else "warning"))
    return found


def _without_trust(app: App, public: str) -> list[Finding]:
    """Halext speaks no TLS itself: behind an https address there is a proxy."""
    if not public.startswith("https://") or app.settings.trusted_proxies:
        return []
    what = f"{urlsplit(public).hostname} is behind a proxy, and no proxy is trusted."
    fix = "HALEXT_TRUSTED_PROXIES=127.0.0.1/32, or where your proxy runs"
    return [Finding(check="proxies", level="warning", what=what, why=SAME, fix=fix)]


def _seen(app: App) -> list[Finding]:
    found = []
    if peer := app.proxy_signs.get("untrusted"):
        is_near = is_home(peer)
        what = f"Requests from {peer} say that a proxy passed them on, and {peer} is not trusted."
        why = SAME if is_near else "If that is no proxy of yours, somebody tries to hide; halext does not believe it."
        fix = f"if that is your proxy: HALEXT_TRUSTED_PROXIES={peer}" if is_near else ""
        made = partial(Finding, check="proxies", what=what, why=why, fix=fix)
        found.append(made(level="warning" if is_near else "note"))
    if peer := app.proxy_signs.get("silent"):
        what = f"The trusted proxy {peer} does not say for whom it asks."
        fix = "nginx: proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;"
        found.append(Finding(check="proxies", level="warning", what=what, why=SAME, fix=fix))
    return found


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
