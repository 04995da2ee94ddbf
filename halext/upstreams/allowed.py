"""What halext ever asks of a node or a webhook: the methods and paths, per kind of server. Pure.

A node never sees anything else, so no model name, no client and no other node can make halext pull, delete or create.
"""

from __future__ import annotations

import re

from halext.types import Kind

_OLLAMA = frozenset(
    {
        ("GET", "/"),
        ("GET", "/api/version"),
        ("GET", "/api/tags"),
        ("GET", "/api/ps"),
        ("POST", "/api/chat"),
        ("POST", "/api/generate"),
        ("POST", "/api/embed"),
        ("POST", "/api/show"),
    }
)
_OPENAI = frozenset(
    {
        ("GET", "/"),
        ("GET", "/v1/models"),
        ("GET", "/health"),
        ("GET", "/slots"),
        ("GET", "/props"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/embeddings"),
    }
)
_AUTOMATIC1111 = frozenset(
    {
        ("GET", "/sdapi/v1/options"),
        ("GET", "/sdapi/v1/sd-models"),
        ("GET", "/sdapi/v1/progress?skip_current_image=true"),
        ("POST", "/sdapi/v1/txt2img"),
        ("POST", "/sdapi/v1/interrupt"),
        ("POST", "/internal/progress"),
    }
)
ALLOWED: dict[Kind, frozenset[tuple[str, str]]] = {
    "ollama": _OLLAMA,
    "openai": _OPENAI,
    "automatic1111": _AUTOMATIC1111,
    "halext": _OLLAMA,
    "webhook": frozenset(),
}

ONCE = frozenset({("POST", "/sdapi/v1/txt2img"), ("POST", "/sdapi/v1/interrupt")})
"""Never asked a second time when a connection breaks and nobody knows whether the server has read the first one: it
would make the pictures twice, or stop the job of somebody else."""

SLACK_HOOK = r"/services(?:/[A-Za-z0-9]{1,64}){3}"
DISCORD_HOOK = r"/api(?:/v[0-9]{1,3})?/webhooks/[0-9]{1,20}/[A-Za-z0-9_-]{1,200}"
_HOOK = re.compile(rf"POST {SLACK_HOOK}|POST {DISCORD_HOOK}\?wait=true|PATCH {DISCORD_HOOK}/messages/[0-9]{{1,20}}")

_HX_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_QUOTED = r"%(?:2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-D]|[89A-F][0-9A-F])"
_SEGMENT = rf"/(?!\.{{1,2}}(?:[/?]|$))(?:[A-Za-z0-9._~:@+,-]|{_QUOTED})+"
_HX_PATH = re.compile(rf"/hx(?:{_SEGMENT})+(?:\?[A-Za-z0-9._~:@+,=&%-]*)?")
"""No empty, `.` or `..` segment. Names may hold quoted characters, as `Ann%20B` and `webhook%2Fslack` do, but none that
needs no quotes and none that controls: a path can't say something else than it seems to."""


def is_allowed(kind: Kind, method: str, path: str) -> bool:
    """Whether halext may send this to a server of this kind."""
    if kind == "webhook":
        return _HOOK.fullmatch(f"{method} {path}") is not None
    if (method, path) in ALLOWED.get(kind, frozenset()):  # others say themselves what they are sent
        return True
    return kind == "halext" and method in _HX_METHODS and _HX_PATH.fullmatch(path) is not None


def is_repeatable(kind: Kind, method: str, path: str) -> bool:
    """Whether it does no harm when the server gets this twice; another halext is changed by most that is no GET.

    A webhook posts one message more for each POST.
    """
    if kind == "halext" and path.startswith("/hx/"):
        return method == "GET"
    if kind == "webhook":
        return method != "POST"
    return (method, path) not in ONCE
