from __future__ import annotations

import aiohttp
import pytest

from halext.testing.clock import ManualClock
from halext.testing.discord import FakeDiscord


async def test_a_bug_in_the_fake_reaches_the_test() -> None:
    fake = FakeDiscord()
    await fake.start()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {fake.token}"}) as http:
        assert (await http.get(f"{fake.api_base}/channels/seven")).status == 503
    with pytest.raises(ValueError, match="seven"):
        await fake.close()


async def test_files_are_there_for_a_day(manual_clock: ManualClock) -> None:
    async with FakeDiscord(clock=manual_clock) as fake, aiohttp.ClientSession() as http:
        said = fake.user("Ada").say(files=[("a b/ü.txt", b"data")])
        [file] = said.attachments
        answer = await http.get(file.url)
        assert (await answer.read(), answer.headers["Content-Type"]) == (b"data", "text/plain")
        await manual_clock.advance(24 * 3600)
        assert (await http.get(file.url)).status == 404
        assert (await http.get(f"{fake.url}/attachments/1/x/y")).status == 404


async def test_the_port_stays_and_stopping_twice_is_fine() -> None:
    async with FakeDiscord() as fake, aiohttp.ClientSession() as http:
        first = fake.url
        await fake.kill()
        await fake.kill()
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(first)
        await fake.start()
        assert (await http.get(f"{first}/")).content_type == "text/html"


async def test_a_taken_port_is_said_so() -> None:
    async with FakeDiscord() as fake:
        with pytest.raises(OSError, match="address"):
            await FakeDiscord(port=int(fake.url.rpartition(":")[2])).start()
