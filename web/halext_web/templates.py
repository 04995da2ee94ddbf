"""Pages out of templates, and the files that they load."""

from __future__ import annotations

import gzip
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent
HASH_LENGTH = 12
"""Hex digits of a file's SHA-256 in its name: 48 bits tell two versions apart."""
TENTHS_BELOW_S = 10
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file for browsers. Its address changes with its content, so it may be kept for ever."""

    address: str
    content_type: str
    data: bytes
    gzipped: bytes


class Templates:
    """All templates and static files, read once."""

    def __init__(self, folder: Path = HERE) -> None:
        self.assets = {path.name: _asset(path) for path in sorted((folder / "static").iterdir())}
        self._environment = Environment(
            loader=FileSystemLoader(folder / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters["seconds"] = show_seconds
        self._environment.globals["static"] = lambda name: self.assets[name].address

    def render(self, name: str, context: dict[str, Any]) -> str:
        """The page; everything in the context is escaped."""
        return self._environment.get_template(name).render(context)


def show_seconds(value: float) -> str:
    """A time as `chat.js` writes it, so that a page says the same after it is reloaded."""
    if value < 1:
        return f"{math.ceil(value * 1000)} ms"
    return f"{value:.1f} s" if value < TENTHS_BELOW_S else f"{value:.0f} s"


def _asset(path: Path) -> Asset:
    data = path.read_bytes()
    mark = hashlib.sha256(data).hexdigest()[:HASH_LENGTH]
    return Asset(
        address=f"/static/{path.stem}.{mark}{path.suffix}",
        content_type=TYPES[path.suffix],
        data=data,
        gzipped=gzip.compress(data, mtime=0),
    )
