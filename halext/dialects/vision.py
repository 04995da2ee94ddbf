"""Pictures that clients send for a model to look at."""

from __future__ import annotations

import base64
import binascii

from halext.errors import InvalidInput
from halext.pictures import PNG, PNG_HEAD, check_png

_PNG_TEXT = base64.b64encode(PNG).decode().rstrip("=")[:10]
"""What every PNG file begins with in base64, as far as no later byte has a part in it."""
_HEAD_CHARS = PNG_HEAD // 3 * 4


def sound(picture: str) -> str:
    """The picture, in base64, as it is. Raises `InvalidInput` for a PNG that no node could unpack without harm.

    Only its head is looked at. Other formats pass: their sizes stand in many places, and nodes take few of them.
    """
    head = picture[: 2 * _HEAD_CHARS].lstrip()[:_HEAD_CHARS]
    if not head.startswith(_PNG_TEXT):
        return picture
    try:
        check_png(base64.b64decode(head, validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"A picture can't be used: {error}.") from None
    return picture
