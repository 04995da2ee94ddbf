"""Takes the pictures of these pages: `python docs/screenshots.py`.

A real `halext up`, with a Discord, a Telegram, two Ollamas and a Stable Diffusion that are fakes. Ada and her brother
live an evening there, and Debian's chromium looks at it. What is on the pictures is what the programs showed; only the
models' words are ours, and stand below. Everything that is started here ends with it.
"""

from __future__ import annotations

import asyncio
import html
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import nbformat
from markdown_it import MarkdownIt
from nbclient import NotebookClient
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.clock import ScaledClock
from halext.testing.discord import Channel, FakeDiscord
from halext.testing.discord import Person as DiscordPerson
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.telegram import Chat, FakeTelegram
from halext.testing.telegram import Person as TelegramPerson

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
MODEL = "llama3.2:3b"
PASSWORD = "correct horse battery staple"
PATIENCE_S = 40.0
HEAVIEST = 150_000
"""Bytes of a picture: pages have to open quickly, and every clone carries all that ever were."""
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
MINUTES = """Ada: the heat pump people need an answer by Friday.
Ben: and somebody should back up the photos before the disk dies. I'll book the ferry, whenever."""
FOUND = {
    "tasks": [
        {"title": "Answer the heat pump people", "notes": "By Friday", "priority": "high"},
        {"title": "Back up the photos", "notes": "", "priority": "normal"},
        {"title": "Book the ferry", "notes": "", "priority": "low"},
    ]
}
BACKUP = """You can do it with **rsync**, which only copies what has changed:

1. Plug the disk in and look where it is mounted.
2. Try it dry first, with `--dry-run`.
3. Then let it run:

```bash
rsync -a --delete ~/Pictures/ /mnt/backup/Pictures/
```

`--delete` also removes there what you removed here, so look twice at the dry run."""
EVERY_NIGHT = """Put it into your crontab with `crontab -e`:

```cron
30 3 * * * rsync -a --delete ~/Pictures/ /mnt/backup/Pictures/
```

It then runs every night at half past three, as long as the computer is on."""
SKY = "Air scatters short waves more than long ones, so blue light reaches you from everywhere in the sky."
IN_NOTEBOOK = {
    "Say hello": "Hello, and welcome!",
    "Count from": "One, two, three, four, five, six, seven, eight, nine, ten.",
    "My name": "Nice to meet you, Ada.",
}
"""By what stands in a cell: what the model says to it."""
NOTEBOOK_END = "## Talk"
"""The picture of the notebook ends before this heading."""

COLUMNS = "body{display:block!important;columns:2}section{break-inside:avoid;margin-bottom:24px}"
SIGN = "display:inline-grid;place-items:center;width:18px;height:18px;border-radius:4px;color:#fff;background:"
SIGNS = {
    "✅": f'<span style="{SIGN}#2e9e52">✔</span>',
    "👁": "◉",
}
"""Signs that only a font with coloured ones has, which not every machine does, out of letters that all have."""


@dataclass
class Evening:
    """Everyone and everything that is there."""

    url: str
    run: Callable[..., Any]
    page: httpx.AsyncClient
    discord: FakeDiscord
    telegram: FakeTelegram
    mac: FakeOllama
    pc: FakeOllama
    general: Channel
    computers: Channel
    family: Chat
    ada: DiscordPerson
    ada_too: TelegramPerson
    words: list[str] = field(default_factory=list)
    """What the models say next."""

    def says(self, answer: str) -> None:
        """Let the models say this from now on."""
        self.words[:] = re.findall(r"\s*\S+|\s+$", answer)

    async def on_discord(self, room: Channel, count: int, says: str) -> Any:
        """The bot's message with this number in the room, once it has these words in it or on a button."""

        def there() -> Any:
            told = self.discord.answers(room)[count - 1 : count]
            return next((m for m in told if says in m.text or says in " ".join(m.buttons)), None)

        return await self.discord.until(there, timeout_s=PATIENCE_S)

    async def on_telegram(self, chat: Chat, says: str) -> Any:
        """The bot's last message in the chat, once it has these words in it or on a button."""

        def there() -> Any:
            told = self.telegram.answers(chat)[-1:]
            return next((m for m in told if says in m.text or says in " ".join(m.buttons)), None)

        return await self.telegram.until(there, timeout_s=PATIENCE_S)

    async def code(self) -> str:
        """A fresh code that links a chat account."""
        made: str = (await self.page.post("/hx/links/code", json={})).json()["code"]
        return made

    async def until(self, path: str, is_so: Callable[[Any], bool]) -> None:
        """Wait until it is so, of what halext says at a path."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_so((await self.page.get(path)).json()):
                await asyncio.sleep(0.2)


# --- the house ---


@asynccontextmanager
async def evening(home: Path) -> AsyncIterator[Evening]:
    """All fakes, and a halext with an administrator and two computers; gone at the end."""
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(FakeDiscord(scale=4))
        telegram = await stack.enter_async_context(FakeTelegram(scale=4))
        words: list[str] = []
        mac = await stack.enter_async_context(ollama(words, 31.0))
        pc = await stack.enter_async_context(ollama(words, 84.0, slots=4))
        painter = await stack.enter_async_context(FakeAutomatic1111(["dreamshaper_8"], clock=ScaledClock(5.0)))
        ada, ada_too = discord.user("Ada"), telegram.user("Ada")
        guild, family = discord.guild("Home", ada), telegram.group("Family", ada_too, telegram.user("Ben"))
        general, computers = discord.channel(guild, "general"), discord.channel(guild, "computers")
        environment = environment_of(home, discord, telegram, computers, family)
        url, code = await stack.enter_async_context(halext_up(home, environment))
        page = await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers={"Origin": url}))
        who = {"name": "Ada", "password": PASSWORD}
        (await page.post("/hx/first-admin", json={"code": code, **who})).raise_for_status()
        (await page.post("/hx/session", json=who)).raise_for_status()

        async def run(*arguments: str) -> None:
            await asyncio.to_thread(command, arguments, home, environment)

        await run("node", "add", "mac", mac.url)
        await run("node", "add", "pc", pc.url, "--slots", "4", "--tag", "gpu")
        await run("node", "add", "pc", painter.url)
        there = Evening(url, run, page, discord, telegram, mac, pc, general, computers, family, ada, ada_too, words)
        await discord.until(lambda: ada.commands(general), timeout_s=PATIENCE_S)
        yield there


def ollama(words: list[str], tokens_per_s: float, slots: int = 1) -> FakeOllama:
    """One computer, as fast as life."""
    speed = {"tokens_per_s": tokens_per_s, "load_s": 1.0}
    models = [
        FakeModel(MODEL, script=words, structured=FOUND, **speed),
        FakeModel(
            "nomic-embed-text",
            size_bytes=274_000_000,
            capabilities=("embedding",),
            embedding_length=768,
            parameter_size="137M",
            quantization="F16",
            context_length=2048,
        ),
    ]
    return FakeOllama(models, slots=slots, keep_alive_s=1e7, clock=ScaledClock(1.0))


def environment_of(
    home: Path, discord: FakeDiscord, telegram: FakeTelegram, computers: Channel, family: Chat
) -> dict[str, str]:
    """Of every halext here: no settings but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HALEXT_", "CREDENTIALS_"))}
    return kept | {
        "HALEXT_DATA_DIR": str(home / "data"),
        "HALEXT_DISCORD_TOKEN": discord.token,
        "HALEXT_DISCORD_API_BASE": discord.api_base,
        "HALEXT_DISCORD_GATEWAY": discord.gateway_url,
        "HALEXT_DISCORD_ALERT_CHANNEL": str(computers.id),
        "HALEXT_TELEGRAM_TOKEN": telegram.token,
        "HALEXT_TELEGRAM_API_BASE": telegram.url,
        "HALEXT_TELEGRAM_ALERT_CHAT": str(family.id),
        "HALEXT_ALERT_OFFLINE_S": "1",
        "HALEXT_PROBE_INTERVAL_S": "0.5",
    }


@asynccontextmanager
async def halext_up(home: Path, environment: Mapping[str, str]) -> AsyncIterator[tuple[str, str]]:
    """A real `halext up`: its address, and the code of the first administrator's link."""
    line = [sys.executable, "-m", "halext", "up", "--port", "0", "--no-demo"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(line, env=dict(environment), cwd=home, text=True, stdout=subprocess.PIPE, stderr=log)
        try:
            said = await asyncio.to_thread(until_ready, process)
            found = re.search(r"(http://[^/\s]+)/welcome\?code=(\S+)", said)
            assert found, said
            yield found[1], found[2]
        finally:
            process.send_signal(signal.SIGINT)
            await asyncio.to_thread(process.communicate, timeout=PATIENCE_S)


def until_ready(process: subprocess.Popen[str]) -> str:
    """What it said until it was ready."""
    said = ""
    assert process.stdout is not None
    while "is ready" not in said:
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"halext did not start:\n{said}")
        said += line
    return said


def command(arguments: tuple[str, ...], home: Path, environment: Mapping[str, str]) -> None:
    """Run one command line to its end."""
    line = [sys.executable, "-m", "halext", *arguments]
    done = subprocess.run(line, env=dict(environment), cwd=home, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")


# --- what happens there ---


async def link(there: Evening) -> None:
    """Ada shows on both platforms who she is."""
    there.ada.slash("link", code=await there.code())
    await there.until("/hx/links", bool)
    there.ada_too.command("link", await there.code())
    await there.on_telegram(there.ada_too.chat, "Hello Ada")


async def begin_on_discord(there: Evening) -> None:
    """A question, why it went where it went, and a picture."""
    there.says(SKY)
    await there.run("ask", "Are you there?", "--node", "mac")
    await there.run("ask", "Are you there?", "--node", "pc")
    there.says(BACKUP)
    there.ada.say("How do I back up my photos to a disk?", channel=there.general, mention=True)
    answer = await there.on_discord(there.general, 1, "Regenerate")
    there.ada.click(answer, "Why")
    await there.on_discord(there.general, 2, "chose")
    there.ada.slash("imagine", channel=there.general, prompt="a patchwork quilt", size="512x256", steps="8")
    await there.on_discord(there.general, 3, "8 steps")


async def look_after_the_computers(there: Evening) -> None:
    """The mac falls asleep and wakes up; both chats hear of it, and Ada looks how things are."""
    await there.mac.kill()
    await there.on_discord(there.computers, 1, "mac")
    there.ada.slash("nodes", channel=there.computers)
    await there.on_discord(there.computers, 2, "mac")
    await there.mac.start()
    await there.until("/hx/nodes", lambda nodes: all(node["status"] == "healthy" for node in nodes))
    alert = there.discord.answers(there.computers)[0]
    await there.discord.until(lambda: "✅" in alert.text, timeout_s=PATIENCE_S)
    await there.on_telegram(there.family, "✅")
    there.ada.slash("models", channel=there.computers)
    await there.on_discord(there.computers, 3, MODEL)


async def go_on_in_telegram(there: Evening) -> None:
    """The same conversation on the way home, and what the two of them talked about becomes tasks."""
    (kept,) = (await there.page.get("/hx/conversations")).json()
    ada, chat = there.ada_too, there.ada_too.chat
    ada.command("chat", f"open {kept['id']}")
    await there.on_telegram(chat, "Going on here")
    there.says(EVERY_NIGHT)
    ada.say("And every night, by itself?")
    await there.on_telegram(chat, "Regenerate")
    ada.command("task", f"suggest {MINUTES}")
    found = await there.on_telegram(chat, "Accept")
    press = ada.press(found, next(label for label in found.buttons if "Accept" in label))
    await there.telegram.until(lambda: press.answer, timeout_s=PATIENCE_S)
    ada.command("task", "add Water the plants")
    await there.on_telegram(chat, "Water")


# --- pictures ---


async def take_all(there: Evening, browser: Browser, home: Path) -> None:
    """Every picture."""
    context = await browser.new_context(viewport={"width": 1000, "height": 900}, color_scheme="light")
    wide = await context.new_page()
    await sign_in(wide, there.url)
    await wide.goto(f"{there.url}/c/1")
    await wide.get_by_text("Why this node?").last.click()
    await keep(wide, "chat.png")
    for name in ("tasks", "nodes"):
        await wide.goto(f"{there.url}/{name}")
        await keep(wide, f"{name}.png", of=".sheet")
    await wide.goto(f"{there.url}/account")
    await wide.get_by_role("button", name="Get a code").click()
    await wide.get_by_role("status").wait_for()
    await keep(wide, "account.png", of=".sheet")
    await wide.set_viewport_size({"width": 390, "height": 760})
    await wide.goto(f"{there.url}/c/1")
    await keep(wide, "phone.png")
    await drawn(browser, there.discord.draw(), "discord.png", 1312, COLUMNS)
    await drawn(browser, there.telegram.draw(), "telegram.png", 952)
    await drawn(browser, await notebook(there, home), "notebook.png", 860)


async def sign_in(page: Page, url: str) -> None:
    """As Ada."""
    await page.goto(f"{url}/sign-in")
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("Your message").wait_for()


async def drawn(browser: Browser, page_html: str, name: str, width: int, style: str = "p{}") -> None:
    """A picture of a page of HTML, as tall as it is."""
    page = await browser.new_page(viewport={"width": width, "height": 300}, color_scheme="light")
    await page.set_content(re.sub("|".join(SIGNS), lambda found: SIGNS[found[0]], page_html))
    await page.add_style_tag(content=style)
    await keep(page, name, of="body")
    await page.close()


async def keep(page: Page, name: str, of: str = "") -> None:
    """Write the picture of a page, or of one element of it, with as few colours as it needs."""
    shot = await (page.locator(of).screenshot() if of else page.screenshot())
    small = io.BytesIO()
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
    (IMAGES / name).write_bytes(small.getvalue())
    print(f"{name}: {len(small.getvalue()) // 1000} kB")
    if len(small.getvalue()) > HEAVIEST:
        raise SystemExit(f"{name} is too heavy")


# --- the notebook ---

STYLE = """body{margin:0;padding:20px 24px;background:#fff;color:#1d2320;font:15px/1.5 system-ui,sans-serif}
.code{display:grid;grid-template-columns:52px 1fr;gap:4px 8px;margin:10px 0}.n{font:13px/2.4 monospace;color:#59625d}
pre{margin:0;font:13px/1.45 monospace;white-space:pre-wrap}
.in{background:#f5f5f3;border:1px solid #dedcd3;padding:7px 10px}
.out{grid-column:2;padding:2px 10px;overflow:hidden}.out p{margin:0}.code>*{min-width:0}
table{border-collapse:collapse;font-size:12px}th,td{padding:4px 10px 4px 0;text-align:left;white-space:nowrap}
tbody tr:nth-child(odd){background:#f5f5f3}h1,h2{margin:14px 0 6px}p{margin:6px 0}"""


async def notebook(there: Evening, home: Path) -> str:
    """The first-steps notebook, run against the house, as a page."""
    book = nbformat.read(ROOT / "notebooks" / "first_steps.ipynb", as_version=4)
    token = (await there.page.post("/hx/tokens", json={"name": "notebook"})).json()["token"]
    client = NotebookClient(
        book,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(home)}},
        on_cell_execute=lambda cell, cell_index: there.says(words_for(cell["source"])),  # noqa: ARG005
    )
    environment = os.environ | {"HALEXT_URL": there.url, "HALEXT_TOKEN": token, "IPYTHONDIR": str(home / "ipython")}
    await client.async_execute(env=environment)
    cells = []
    for cell in book.cells:
        if cell["source"].startswith(NOTEBOOK_END):
            break
        cells.append(as_html(cell))
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>{"".join(cells)}'


def words_for(source: str) -> str:
    """What a model says to what stands in a cell."""
    return next((answer for begin, answer in IN_NOTEBOOK.items() if begin in source), SKY)


def as_html(cell: Mapping[str, Any]) -> str:
    """A cell with what came out of it."""
    if cell["cell_type"] == "markdown":
        return MarkdownIt().render(cell["source"])
    number = f'<div class="n">[{cell["execution_count"]}]</div>'
    outs = "".join(f'<div class="out">{output_html(output)}</div>' for output in cell["outputs"])
    return f'<div class="code">{number}<pre class="in">{html.escape(cell["source"])}</pre>{outs}</div>'


def output_html(output: Mapping[str, Any]) -> str:
    """One output, as a notebook would choose."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "text/html" in data:
        return str(data["text/html"])
    if "text/markdown" in data:
        return MarkdownIt().render(data["text/markdown"])
    return f"<pre>{html.escape(data['text/plain'])}</pre>"


async def main() -> None:
    """Live the evening and take the pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Debian's chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        async with evening(Path(folder)) as there, async_playwright() as playwright:
            await link(there)
            await begin_on_discord(there)
            await look_after_the_computers(there)
            await go_on_in_telegram(there)
            browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            await take_all(there, browser, Path(folder))
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
