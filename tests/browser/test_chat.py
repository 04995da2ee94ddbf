"""What a person does on the first day: come in by the link, ask, watch, stop, try again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import SHOWN

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Tab

pytestmark = pytest.mark.browser


async def come_in(tab: Tab, site: Site) -> Page:
    page = tab.page
    await page.goto(await site.first_link())
    await expect(page).to_have_url(f"{site.app.base_url}/welcome")
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("Password").fill("correct horse battery")
    await page.get_by_role("button", name="Begin").click()
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    return page


async def ask(page: Page, text: str) -> None:
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")


async def said(answer: Locator) -> str:
    return (await answer.locator(".main").text_content() or "").replace("\n", "")


async def test_ask_watch_and_read_why(tab: Tab, site: Site) -> None:
    page = await come_in(tab, site)
    await ask(page, "How does a <i>lens</i> work?")
    answer = page.locator("article.answer")
    await expect(page.locator("article.asked")).to_have_text("How does a <i>lens</i> work?")
    await expect(answer).to_contain_text("A lighthouse lens")
    await expect(answer).to_have_attribute("aria-busy", "true")  # its beginning shows while its end is still to come
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    await expect(answer).to_have_attribute("aria-busy", "false")
    await expect(answer).to_contain_text("<b>39</b>")
    assert await answer.locator("b, img").count() == 0
    await expect(answer.locator("strong")).to_have_text("ring")
    await expect(answer.get_by_role("link", name="a picture")).to_have_attribute(
        "href", "https://example.org/?q=secret"
    )
    receipt = answer.locator("footer")
    await expect(receipt).to_contain_text("attic")
    await expect(receipt).to_contain_text(re.compile(r"\d tokens/s"))
    await expect(receipt).to_contain_text(re.compile(r"first word after \d"))
    await receipt.get_by_text("Why this node?").click()
    await expect(receipt.locator("li").first).to_contain_text("attic")
    await expect(page.get_by_role("status")).to_contain_text("<b>39</b>")  # the rest, after the blocks before it


async def test_stop_ends_the_work_and_try_again_repeats_it(tab: Tab, site: Site) -> None:
    page = await come_in(tab, site)
    await ask(page, "How does a lens work?")
    answer = page.locator("article.answer")
    await expect(answer).to_contain_text("lighthouse")
    await page.get_by_role("button", name="Stop").click()
    await expect(answer).to_contain_text("Stopped.")
    await expect(answer).to_contain_text("lighthouse")  # what had come is kept
    await expect(page.get_by_label("Your message")).to_be_focused()
    await site.ollama.timeline.wait_for("cancelled")
    await answer.get_by_role("button", name="Try again").click()
    await expect(answer).to_have_attribute("aria-busy", "false")
    await expect(answer).to_contain_text("<b>39</b>")
    assert await page.locator("article.asked").count() == 1
    await page.reload()
    await expect(answer).to_contain_text("<b>39</b>")  # the record has the second answer in place of the first
    assert await page.locator("article.asked").count() == 1


async def test_what_was_stopped_goes_on(tab: Tab, site: Site) -> None:
    page = await come_in(tab, site)
    await ask(page, "How does a lens work?")
    answers = page.locator("article.answer")
    await expect(answers).to_contain_text("lighthouse")
    await page.keyboard.press("Escape")
    await answers.get_by_role("button", name="Continue").click()
    await expect(page.locator("article.asked").last).to_have_text("Continue where you stopped.")
    await expect(answers.last).to_contain_text("<b>39</b>")
    await expect(answers.first.get_by_role("button", name="Try again")).to_be_hidden()


async def test_a_question_that_does_not_arrive_is_not_lost(context: BrowserContext, tab: Tab, site: Site) -> None:
    page = await come_in(tab, site)
    await page.route("**/hx/conversations", lambda route: route.abort())
    await ask(page, "How does a lens work?")
    await expect(page.locator("article.answer")).to_contain_text("can’t be reached")
    await expect(page.get_by_label("Your message")).to_have_value("How does a lens work?")
    assert await page.locator("article.asked").count() == 0
    await page.unroute("**/hx/conversations")
    await page.keyboard.press("Enter")
    await expect(page.locator("article.answer").last).to_contain_text("lighthouse")
    tab.complaints.clear()  # Chromium's own line about the connection that failed


async def test_an_answer_that_breaks_off_says_so(tab: Tab, site: Site) -> None:
    site.ollama.faults.at(4, "reset")
    page = await come_in(tab, site)
    await ask(page, "How does a lens work?")
    answer = page.locator("article.answer")
    await expect(answer).to_contain_text("The answer broke off")
    await expect(answer).to_contain_text("A lighthouse")
    await answer.get_by_role("button", name="Try again").click()
    await expect(answer).to_contain_text("<b>39</b>")


async def test_a_reload_in_the_middle_loses_and_doubles_nothing(tab: Tab, site: Site) -> None:
    page = await come_in(tab, site)
    await ask(page, "How does a lens work?")
    answer = page.locator("article.answer")
    await expect(answer).to_contain_text("<b>2</b>")
    await expect(page).to_have_url(re.compile(r"/c/\d+$"))
    await page.reload()
    await expect(answer).to_have_attribute("aria-busy", "true")
    await expect(answer).to_have_attribute("aria-busy", "false")
    assert await said(answer) == SHOWN
    await page.reload()
    assert await said(answer) == SHOWN
    assert await page.locator("article.asked").count() == 1


async def test_a_second_tab_sees_the_same(context: BrowserContext, tab: Tab, site: Site) -> None:
    page = await come_in(tab, site)
    await ask(page, "How does a lens work?")
    await expect(page).to_have_url(re.compile(r"/c/\d+$"))
    other = await context.new_page()
    await other.goto(page.url)
    for each in (page, other):
        answer = each.locator("article.answer")
        await expect(answer).to_have_attribute("aria-busy", "false")
        assert await said(answer) == SHOWN
    await other.get_by_text("Conversations", exact=True).click()
    await expect(other.get_by_role("link", name="How does a lens work?")).to_be_visible()


async def test_by_keyboard_alone(tab: Tab, site: Site) -> None:
    page = await come_in(tab, site)
    await expect(page.get_by_label("Your message")).to_be_focused()
    await page.keyboard.type("Hi")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("there")
    await page.keyboard.press("Enter")
    await expect(page.locator("article.asked")).to_have_text("Hi\nthere")
    await expect(page.locator("article.answer")).to_contain_text("lens")
    await page.keyboard.press("Escape")
    await expect(page.locator("article.answer")).to_contain_text("Stopped.")
    await page.goto(f"{site.app.base_url}/nodes")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()


async def test_the_nodes_and_the_way_out(tab: Tab, site: Site) -> None:
    page = await come_in(tab, site)
    await page.get_by_role("link", name="Nodes").click()
    await expect(page.get_by_role("row", name=re.compile("attic"))).to_contain_text("online")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("Password").fill("wrong horse battery")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("wrong")
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("Password").fill("correct horse battery")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_label("Your message")).to_be_visible()


async def test_without_javascript(context: BrowserContext, tab: Tab, site: Site) -> None:
    await come_in(tab, site)
    browser = context.browser
    assert browser is not None
    plain = await browser.new_context(java_script_enabled=False, storage_state=await context.storage_state())
    page = await plain.new_page()
    await page.goto(site.app.base_url)
    await page.get_by_label("Your message").fill("How does a lens work?")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("article.answer")).to_contain_text("<b>39</b>")
    await expect(page.locator("article.answer footer")).to_contain_text("attic")
    await plain.close()


async def test_nothing_sticks_out_of_the_screen(tab: Tab, site: Site) -> None:
    page = await come_in(tab, site)
    for path in ("/", "/nodes", "/hx/docs", "/nothing"):
        await page.goto(site.app.base_url + path)
        for width in (320, 390, 1280):
            await page.set_viewport_size({"width": width, "height": 700})
            wide = await page.locator("html").evaluate("element => element.scrollWidth")
            assert wide <= width, path
