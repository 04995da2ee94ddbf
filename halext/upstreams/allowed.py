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
ALLOWED: dict[Kind, frozenset[tuple[str, str]]] = {"ollama": _OLLAMA, "openai": _OPENAI, "halext": _OLLAMA}

_HX_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_SEGMENT = r"/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._~:@+,-]+"
_HX_PATH = re.compile(rf"/hx(?:{_SEGMENT})+(?:\?[A-Za-z0-9._~:@+,=&%-]*)?")
"""No empty, `.` or `..` segment, and nothing percent-encoded before the query: one spelling per path."""


def is_allowed(kind: Kind, method: str, path: str) -> bool:
    """Whether halext may send this to a server of this kind."""
    if (method, path) in ALLOWED.get(kind, frozenset()):  # others say themselves what they are sent
        return True
    return kind == "halext" and method in _HX_METHODS and _HX_PATH.fullmatch(path) is not None
