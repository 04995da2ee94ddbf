from __future__ import annotations

import io

import aiohttp
import pytest

from halext.testing.discord import FakeDiscord
from halext.testing.discordapi.forms import Call


def test_a_call_reads_its_ids_and_its_body() -> None:
    call = Call("edit_message", "PATCH", "/x", {"channel": "7"}, {}, {"content": "x"})
    assert (call.number("channel"), call.read("content"), call.read("tts", False)) == (7, "x", False)
    assert Call("sync_commands", "PUT", "/x", {}, {}, [1]).read("content") is None


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        (b'{"content": ', "application/json", 400, 50109),
        (b"x" * (25 * 2**20 + 1), "application/json", 413, 40005),
        (b"", "application/json", 400, 50006),
    ],
)
async def test_bodies_that_are_refused(fake: FakeDiscord, data: bytes, kind: str, status: int, code: int) -> None:
    room = fake.channel(fake.guild("Home", fake.user("Ada")), "general")
    headers = {"Authorization": f"Bot {fake.token}", "Content-Type": kind}
    async with aiohttp.ClientSession() as http:
        answer = await http.post(f"{fake.api_base}/channels/{room.id}/messages", data=io.BytesIO(data), headers=headers)
        assert (answer.status, (await answer.json())["code"]) == (status, code)


async def test_a_form_with_files_in_it(fake: FakeDiscord) -> None:
    room = fake.channel(fake.guild("Home", fake.user("Ada")), "general")
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", '{"content": "see", "attachments": [{"id": 2, "description": "mine"}]}')
    form.add_field("files[2]", b"two", filename="two.txt", content_type="text/plain")
    headers = {"Authorization": f"Bot {fake.token}"}
    async with aiohttp.ClientSession() as http:
        await http.post(f"{fake.api_base}/channels/{room.id}/messages", data=form, headers=headers)
    [upload] = fake.uploads
    assert (upload.number, upload.name, upload.data, upload.content_type) == (2, "two.txt", b"two", "text/plain")
    assert fake.answers(room)[0].attachments[0].description == "mine"
