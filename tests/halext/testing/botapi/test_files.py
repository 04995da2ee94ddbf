from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from halext.testing.botapi.api import METHODS
from halext.testing.botapi.files import picture_size
from halext.testing.botapi.forms import Form, Upload
from halext.testing.botapi.people import Person
from halext.testing.botapi.world import World
from halext.testing.fake import Refusal

JPEG = b"\xff\xd8\xff\xe0 a picture"
Call = Callable[..., Any]


@pytest.fixture
def send(world: World, ada: Person) -> Call:
    """`send("sendPhoto", {"photo": data}, caption=…)`."""

    def run(method: str, files: dict[str, bytes], **values: Any) -> Any:
        uploads = {name: Upload(f"{name}.bin", data) for name, data in files.items()}
        return METHODS[method.lower()][1](world, Form({"chat_id": ada.id, **values}, uploads))

    return run


@pytest.mark.parametrize("kind", ["document", "voice", "audio", "video", "animation"])
def test_every_kind_of_file(send: Call, call: Call, ada: Person, kind: str) -> None:
    sent = send(f"send{kind.capitalize()}", {kind: b"data"}, caption="about it")
    assert (sent[kind]["file_size"], sent["caption"]) == (4, "about it")
    again = call(f"send{kind.capitalize()}", chat_id=ada.id, **{kind: sent[kind]["file_id"]})
    assert again[kind] == sent[kind]
    assert call("getFile", file_id=sent[kind]["file_id"])["file_path"] == f"{kind}s/file_1.bin"


@pytest.mark.parametrize(
    ("method", "files", "values", "error"),
    [
        ("sendPhoto", {}, {}, "there is no photo in the request"),
        ("sendPhoto", {}, {"photo": "https://example.org/a.png"}, "wrong file identifier/HTTP URL specified"),
        ("sendPhoto", {"photo": b"no picture"}, {}, "IMAGE_PROCESS_FAILED"),
        ("sendPhoto", {"photo": JPEG + bytes(10_000_000)}, {}, "too big for a photo; the maximum size is 10000000 by"),
        ("sendDocument", {"document": bytes(50_000_001)}, {}, "too big for a document"),
        ("sendDocument", {"document": b""}, {}, "file must be non-empty"),
        ("sendDocument", {"document": b"x"}, {"caption": "x" * 1025}, "message caption is too long"),
        ("sendMediaGroup", {}, {"media": [{"type": "photo", "media": "x"}]}, "an album holds 2-10 files"),
        ("sendMediaGroup", {}, {"media": [{"type": "sticker"}] * 2}, "can't parse InputMedia"),
        ("getFile", {}, {"file_id": "nothing"}, "wrong file_id or the file is temporarily unavailable"),
    ],
)  # fmt: skip
def test_limits(send: Call, method: str, files: dict[str, bytes], values: dict[str, Any], error: str) -> None:
    with pytest.raises(Refusal, match=error):
        send(method, files, **values)


def test_albums_hold_what_goes_together(send: Call, ada: Person) -> None:
    files = {"a": JPEG, "b": b"data"}
    media = [{"type": "photo", "media": "attach://a", "caption": "*x*", "parse_mode": "MarkdownV2"}]
    with pytest.raises(Refusal, match="document and photo can't be mixed"):
        send("sendMediaGroup", files, media=[*media, {"type": "document", "media": "attach://b"}])
    assert ada.chat.texts == ["hi"]
    first, second = send("sendMediaGroup", files, media=[*media, {"type": "video", "media": "attach://b"}])
    assert first["media_group_id"] == second["media_group_id"]
    assert first["caption_entities"] == [{"type": "bold", "offset": 0, "length": 1}]


def test_media_and_captions_can_be_edited(send: Call, call: Call, ada: Person) -> None:
    sent = send("sendPhoto", {"photo": JPEG})
    where = {"chat_id": ada.id, "message_id": sent["message_id"]}
    assert call("editMessageCaption", **where, caption="new")["caption"] == "new"
    with pytest.raises(Refusal, match="no text in the message"):
        call("editMessageText", **where, text="x")
    media = {"type": "photo", "media": sent["photo"][0]["file_id"], "caption": "new"}
    with pytest.raises(Refusal, match="not modified"):
        call("editMessageMedia", **where, media=media)
    edited = send("editMessageMedia", {"f": b"data"}, **where, media={"type": "document", "media": "attach://f"})
    assert ("document" in edited, "photo" in edited) == (True, False)


def test_bots_fetch_twenty_megabytes_at_most(call: Call, ada: Person) -> None:
    message = ada.say(document=("big.bin", bytes(20_000_001)))
    with pytest.raises(Refusal, match="file is too big"):
        call("getFile", file_id=message.content["document"]["file_id"])


def test_sizes_of_pictures() -> None:
    assert picture_size(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x05\0\0\0\x07") == (5, 7)
    assert picture_size(JPEG) == (800, 600)
