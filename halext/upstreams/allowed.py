"""What halext ever asks of a node: the methods and paths, per kind of server. Pure.

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
}

ONCE = frozenset({("POST", "/sdapi/v1/txt2img"), ("POST", "/sdapi/v1/interrupt")})
"""Never asked a second time when a connection breaks and nobody knows whether the server has read the first one: it
would make the pictures twice, or stop the job of somebody else."""

_HX_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_SEGMENT = r"/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._~:@+,-]+"
_HX_PATH = re.compile(rf"/hx(?:{_SEGMENT})+(?:\?[A-Za-z0-9._~:@+,=&%-]*)?")
"""No empty, `.` or `..` segment, and nothing percent-encoded before the query: one spelling per path."""


def is_allowed(kind: Kind, method: str, path: str) -> bool:
    """Whether halext may send this to a server of this kind."""
    if (method, path) in ALLOWED[kind]:
        return True
    return kind == "halext" and method in _HX_METHODS and _HX_PATH.fullmatch(path) is not None


def is_repeatable(kind: Kind, method: str, path: str) -> bool:
    """Whether it does no harm when the server gets this twice; another halext is changed by most that is no GET."""
    if kind == "halext" and path.startswith("/hx/"):
        return method == "GET"
    return (method, path) not in ONCE
