"""Forms of pages: urlencoded, small, and read without any parser that accepts more."""

from __future__ import annotations

from urllib.parse import parse_qsl

from halext.errors import BadRequest, InvalidInput
from halext_web.visit import FORM_LIMIT, Visit

FIELDS_MAX = 20
"""Our largest form has four."""


async def read(visit: Visit) -> dict[str, str]:
    """The fields of a form; the last one counts where a name comes twice. Raises `BadRequest` for what is none."""
    body = await visit.body(FORM_LIMIT)
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"))
    except ValueError:
        raise BadRequest("The form can't be read.") from None
    if any("\0" in text for text in (*fields, *fields.values())):
        raise BadRequest("The form has a NUL character.")
    return fields


def need(fields: dict[str, str], name: str) -> str:
    """A field that must be filled in."""
    if not (value := fields.get(name, "")):
        raise InvalidInput(f"Please fill in “{name}”.")
    return value
