"""The methods that send and fetch files."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import partial
from typing import Any

from halext.testing.botapi import keyboard
from halext.testing.botapi.compose import Method, caption_content, post, read_caption, writable
from halext.testing.botapi.forms import Form, Upload, bad
from halext.testing.botapi.messages import NOT_MODIFIED, own_message
from halext.testing.botapi.world import File, World

MAX_DOWNLOAD = 20_000_000
MAX_UPLOAD = 50_000_000
MAX_PHOTO = 10_000_000
"""Bytes."""
ALBUM = range(2, 11)
PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")
"""How the picture formats begin that Telegram takes as photos."""
KINDS = ("photo", "document", "voice", "audio", "video", "animation")


def described(file: File, kind: str) -> Any:
    """A file as the API shows it in a message."""
    data = file.upload.data
    shown = {"file_id": file.id, "file_unique_id": f"unique-{file.id}", "file_size": len(data)}
    if kind == "photo":
        width, height = picture_size(data)
        return [{**shown, "width": width, "height": height}]
    if kind == "document":
        return {**shown, "file_name": file.upload.name, "mime_type": file.upload.content_type}
    if kind in {"video", "animation"}:
        return {**shown, "width": 640, "height": 360, "duration": 1}
    return {**shown, "duration": 1}


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG; of others a likely size, since nothing depends on it."""
    if data.startswith(PICTURES[0]) and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return int(width), int(height)
    return 800, 600


def _file(world: World, form: Form, kind: str, value: Any) -> File:
    """The file that a call brings or names. Refusal for one that is missing, unknown, empty or too big."""
    upload = form.upload(kind, value)
    if upload is None:
        file = world.files.get(str(value))
        if file is None:
            raise bad("wrong file identifier/HTTP URL specified" if value else f"there is no {kind} in the request")
        return file
    _check(upload, kind)
    return world.keep(upload, kind)


def _check(upload: Upload, kind: str) -> None:
    size = len(upload.data)
    if size == 0:
        raise bad("file must be non-empty")
    limit = MAX_PHOTO if kind == "photo" else MAX_UPLOAD
    if size > limit:
        raise bad(f"file of size {size} bytes is too big for a {kind}; the maximum size is {limit} bytes")
    if kind == "photo" and not upload.data.startswith(PICTURES):
        raise bad("IMAGE_PROCESS_FAILED")


def _send(kind: str, world: World, form: Form) -> dict[str, Any]:
    chat = writable(world, form)
    markup, caption = keyboard.read(form), read_caption(world, form)
    file = _file(world, form, kind, form.text(kind))
    content = {kind: described(file, kind), **caption_content(caption)}
    return post(world, form, chat, content, markup).json()


def _media(world: World, form: Form, media: Any) -> dict[str, Any]:
    """The content of a message with this InputMedia."""
    if not isinstance(media, dict) or media.get("type") not in KINDS:
        raise bad("can't parse InputMedia: type must be one of photo, document, audio, video and animation")
    kind = str(media["type"])
    file = _file(world, form, kind, media.get("media"))
    return {kind: described(file, kind), **caption_content(read_caption(world, Form(media)))}


def _send_media_group(world: World, form: Form) -> list[dict[str, Any]]:
    chat = writable(world, form)
    items = form.items("media")
    if len(items) not in ALBUM:
        raise bad("an album holds 2-10 files")
    contents = [_media(world, form, media) for media in items]
    kinds = {kind for content in contents for kind in KINDS if kind in content}
    if len(kinds) > 1 and not kinds <= {"photo", "video"}:
        raise bad(f"{' and '.join(sorted(kinds))} can't be mixed in one album")
    extra = {"media_group_id": world.new_album()}
    return [post(world, form, chat, content, None, extra).json() for content in contents]


def _edit_message_media(world: World, form: Form) -> dict[str, Any] | bool:
    message = own_message(world, form)
    content = _media(world, form, form.mapping("media"))
    markup = keyboard.read(form, only_inline=True)
    if (content, markup) == (message.content, message.markup):
        raise bad(NOT_MODIFIED)
    world.revise(message, content, markup)
    return True if form.text("inline_message_id") else message.json()


def _get_file(world: World, form: Form) -> Mapping[str, Any]:
    file = world.files.get(form.text("file_id"))
    if file is None:
        raise bad("wrong file_id or the file is temporarily unavailable")
    size = len(file.upload.data)
    if size > MAX_DOWNLOAD:
        raise bad("file is too big")
    return {"file_id": file.id, "file_unique_id": f"unique-{file.id}", "file_size": size, "file_path": file.path}


METHODS: dict[str, Method] = {
    **{f"send{kind.capitalize()}": partial(_send, kind) for kind in KINDS},
    "sendMediaGroup": _send_media_group,
    "editMessageMedia": _edit_message_media,
    "getFile": _get_file,
}
"""By name."""
