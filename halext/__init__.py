"""halext: one assistant from the computers you own.

    import halext

    hx = halext.connect("http://mac.local:11434", "http://pc:11434")   # or one https://… of a coordinator, or nothing
    print(hx.ask("Why is the sky blue?").text)

Everything is loaded when it is first used, so the import costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module  # noqa: TID251 - the imports below say the same to those who only read
from typing import TYPE_CHECKING, Any

from halext._version import __version__

if TYPE_CHECKING:
    from halext import errors
    from halext.client.aio import AsyncChat, AsyncClient, AsyncStream
    from halext.client.comparison import Comparison
    from halext.client.connect import connect
    from halext.client.grid import Grid, grid
    from halext.client.image import Image, Images
    from halext.client.job import AsyncJob, Job
    from halext.client.magic import load_ipython_extension
    from halext.client.outcome import Failure
    from halext.client.reply import Reply
    from halext.client.sync import Chat, Client, Stream
    from halext.client.tables import Explanation, Models, Nodes
    from halext.errors import HalextError, Interrupted
    from halext.pictures import Recipe

__all__ = [
    "AsyncChat",
    "AsyncClient",
    "AsyncJob",
    "AsyncStream",
    "Chat",
    "Client",
    "Comparison",
    "Explanation",
    "Failure",
    "Grid",
    "HalextError",
    "Image",
    "Images",
    "Interrupted",
    "Job",
    "Models",
    "Nodes",
    "Recipe",
    "Reply",
    "Stream",
    "__version__",
    "connect",
    "errors",
    "grid",
    "load_ipython_extension",
]


_HOMES = {
    "AsyncChat": "halext.client.aio",
    "AsyncClient": "halext.client.aio",
    "AsyncJob": "halext.client.job",
    "AsyncStream": "halext.client.aio",
    "Chat": "halext.client.sync",
    "Client": "halext.client.sync",
    "Comparison": "halext.client.comparison",
    "Explanation": "halext.client.tables",
    "Grid": "halext.client.grid",
    "Failure": "halext.client.outcome",
    "HalextError": "halext.errors",
    "Image": "halext.client.image",
    "Images": "halext.client.image",
    "Interrupted": "halext.errors",
    "Job": "halext.client.job",
    "Models": "halext.client.tables",
    "Nodes": "halext.client.tables",
    "Recipe": "halext.pictures",
    "Reply": "halext.client.reply",
    "Stream": "halext.client.sync",
    "connect": "halext.client.connect",
    "grid": "halext.client.grid",
    "load_ipython_extension": "halext.client.magic",
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("halext.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'halext' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
