"""Attack 15: have a text carried away in an address that a page, or a platform's link preview, loads by itself.

What a browser does with it is in the one run of attack 14. Here is what holds without a browser: the policy of every
page names no other place than this one, no rendered text holds anything that loads, and every sender to a platform
switches its previews off.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext_web import markdown
from tests.attacks.test_14_inert_output import corpus

if TYPE_CHECKING:
    from tests.web.conftest import House

ROOT = Path(__file__).parents[2]
ATTRIBUTES = {"href", "title", "start", "target", "rel"}
"""None of them loads anything until somebody clicks."""
SENDERS = {
    "bots/halext_bots/discord": ({"send", "reply", "send_message", "edit_original_response"}, "suppress_embeds"),
    "bots/halext_bots/telegram": ({"send_message", "edit_message_text"}, "link_preview_options"),
}
"""The calls that send a text to each platform, and the argument by which nothing in it is looked up. Discord keeps it
for a message that is changed later, but what is deferred has no such message yet: `quietly.py` says it there, and the
library's own call for that, which can't, is not used. What the fake Discord looks up fails any test of the bot."""


SCRAPS = st.sampled_from(["![", "](", ")", "http://steal.example/", "<img src=", ">", "[", "]: ", "\n", "`", '"', "a"])


def loads(found: list[markdown.Node]) -> list[str]:
    """What in a rendered text is more than text, its layout and links to follow."""
    wrong = []
    for each in found:
        if isinstance(each, str):
            continue
        tag, attributes, *inner = each
        wrong += [tag] * (tag not in markdown.TAGS) + [f"{tag} {name}" for name in set(attributes) - ATTRIBUTES]
        address = urlsplit(attributes.get("href", ""))
        wrong += [f"{tag} {address.scheme}"] * (address.scheme not in {"", "http", "https", "mailto"})
        wrong += loads(inner)
    return wrong


@pytest.mark.parametrize("said", corpus(9))
def test_no_rendered_text_loads_anything(said: str) -> None:
    assert loads(markdown.nodes(said)) == []


@given(st.lists(SCRAPS, max_size=30))
def test_nor_does_one_out_of_scraps(scraps: list[str]) -> None:
    assert loads(markdown.nodes("".join(scraps))) == []


async def test_the_policy_of_every_page_names_no_other_place(house: House, stranger: httpx.AsyncClient) -> None:
    pages = ("/", "/tasks", "/nodes", "/account", "/hx/docs", "/nothing", "/sign-in", "/welcome")
    for auth in ({}, house.auth):
        for path in pages:
            answer = await stranger.get(path, headers=auth | {"Accept": "text/html"})
            if not answer.headers.get("content-type", "").startswith("text/html"):
                assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
                continue
            policy = {
                part.split()[0]: part.split()[1:] for part in answer.headers["content-security-policy"].split(";")
            }
            named = {place for places in policy.values() for place in places if not place.startswith("'nonce-")}
            assert named <= {"'none'", "'self'", "blob:", "'script'"}
            assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
            assert answer.headers["referrer-policy"] == "same-origin"


def calls(folder: str, names: set[str]) -> list[tuple[str, ast.Call]]:
    """Every call of one of these methods that says something, with where it stands."""
    found = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
                found.append((f"{file.name}:{node.lineno}", node))
    return found


@pytest.mark.parametrize("folder", SENDERS)
def test_every_sender_switches_previews_off(folder: str) -> None:
    names, switch = SENDERS[folder]
    with_text = [
        (where, call)
        for where, call in calls(folder, names)
        if {"content", "text", "entities", "embeds", "allowed_mentions"} & {word.arg for word in call.keywords}
    ]
    assert with_text
    assert [where for where, call in with_text if switch not in {word.arg for word in call.keywords}] == []
