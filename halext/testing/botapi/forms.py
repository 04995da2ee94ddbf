"""What a bot sends with a call: values and files, whichever of the four encodings its library uses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from halext.testing.fake import Refusal
from halext.testing.server import Request

UNKNOWN_TYPE = "application/octet-stream"


def bad(text: str) -> Refusal:
    """A call that Telegram turns down, in its words."""
    return Refusal(400, f"Bad Request: {text}")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came."""

    name: str
    data: bytes = field(repr=False)
    content_type: str = UNKNOWN_TYPE


@dataclass(frozen=True, slots=True)
class Form:
    """Values by name. In two of the encodings all of them are strings, with JSON in those that are nested."""

    values: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A string; empty when it was not sent."""
        value = self.values.get(name)
        return "" if value is None else str(value)

    def number(self, name: str, default: int = 0) -> int:
        """A whole number; `default` when it was not sent or is none, as Telegram does it."""
        return int(value) if re.fullmatch(r"-?\d{1,18}", value := self.text(name), re.ASCII) else default

    def truth(self, name: str) -> bool:
        """Whether it says yes."""
        return self.text(name).lower() in {"true", "yes", "1"}

    def nested(self, name: str) -> Any:
        """A list or an object; None when it was not sent. Refusal when it is no JSON."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise bad(f"can't parse {name.replace('_', ' ')} JSON object") from None

    def items(self, name: str) -> list[Any]:
        """A list; empty when it was not sent. Refusal when it is none."""
        value = self.nested(name)
        if value is not None and not isinstance(value, list):
            raise bad(f"can't parse {name.replace('_', ' ')}: expected an Array")
        return value or []

    def mapping(self, name: str) -> dict[str, Any]:
        """An object; empty when it was not sent. Refusal when it is none."""
        value = self.nested(name)
        if value is not None and not isinstance(value, dict):
            raise bad(f"can't parse {name.replace('_', ' ')}: expected an Object")
        return value or {}

    def upload(self, name: str, value: Any = None) -> Upload | None:
        """The file of this name, or the one that a value such as `attach://name` points at."""
        value = self.values.get(name) if value is None else value
        if isinstance(value, str) and value.startswith("attach://"):
            return self.files.get(value.removeprefix("attach://"))
        return self.files.get(name)


def read(request: Request) -> Form:
    """The values in address and body. Refusal for a body that can't be read."""
    kind, _, options = request.headers.get("content-type", "").partition(";")
    try:
        if kind.strip().lower() == "multipart/form-data":
            fields, files = _multipart(request.body, options)
        elif kind.strip().lower() == "application/json":
            fields, files = _json(request), {}
        else:
            fields, files = dict(parse_qsl(request.body.decode(), keep_blank_values=True)), {}
    except ValueError:
        raise bad("can't parse the body of the request") from None
    return Form({**request.query, **fields}, files)


def _json(request: Request) -> dict[str, Any]:
    value = request.json() if request.body else {}
    if not isinstance(value, dict):
        raise ValueError("the body is no object")  # noqa: TRY004 - one kind of error for all that can't be read
    return value


def _multipart(body: bytes, options: str) -> tuple[dict[str, Any], dict[str, Upload]]:
    boundary = _option("boundary", options)
    if not boundary:
        raise ValueError("no boundary")
    fields: dict[str, Any] = {}
    files: dict[str, Upload] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        head, separator, data = part.partition(b"\r\n\r\n")
        if not separator:
            continue  # the closing mark
        headers = _headers(head.decode())
        about = headers.get("content-disposition", "")
        name, file_name = _option("name", about) or "", _option("filename", about)
        if file_name is None:
            fields[name] = data.decode()
        else:
            files[name] = Upload(file_name, data, headers.get("content-type", UNKNOWN_TYPE))
    return fields, files


def _headers(head: str) -> dict[str, str]:
    lines = [line.partition(":") for line in head.split("\r\n") if ":" in line]
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _option(name: str, options: str) -> str | None:
    """The value of `name=…` in a header."""
    match = re.search(rf'(?:^|[;\s]){name}=(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))', options)
    if match is None:
        return None
    return re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2]
