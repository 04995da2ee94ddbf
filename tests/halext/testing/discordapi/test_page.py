from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.testing.clock import ManualClock
from halext.testing.discordapi.forms import Upload
from halext.testing.discordapi.page import formatted, page
from halext.testing.discordapi.people import Person
from halext.testing.discordapi.things import Channel
from halext.testing.discordapi.world import World

Ask = Callable[..., Any]


class Balance(HTMLParser):
    """Raises AssertionError for tags that don't end, or not in their order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "img", "br", "hr"}:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def name(kind: str, number: int) -> str:
    return f"{kind}{number}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**a** *b* _c_ __d__ ~~e~~", "<b>a</b> <i>b</i> <i>c</i> <u>d</u> <s>e</s>"),
        ("`**a**`", "<code>**a**</code>"),
        ("```py\nx < 1\n```", "<pre><code>x &lt; 1</code></pre>"),
        ("# Title\ntext", "<h3>Title</h3>text"),
        ("> said\nyes", "<blockquote>said</blockquote>yes"),
        ("- one", "• one"),
        ("```\nx\n```\n# T\n> q\n- one", "<pre><code>x</code></pre><h3>T</h3><blockquote>q</blockquote>• one"),
        ("||no||", '<span class="sp">no</span>'),
        ("<@1> <@&2> <#3>", " ".join(f'<span class="at">{one}</span>' for one in ("@user1", "@role2", "#channel3"))),
        ("@everyone", '<span class="at">@everyone</span>'),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("snake_case_name", "snake_case_name"),
        (r"*a\_b \*c\** \<@1> \`x\` `\_` a\b", r"<i>a_b *c*</i> &lt;@1&gt; `x` <code>\_</code> a\b"),
    ],
)
def test_marks(text: str, shown: str) -> None:
    assert formatted(text, name) == shown


@given(st.text(st.sampled_from("ab<>&*_~|` \n#-\\\0"), max_size=30))
def test_text_is_never_taken_for_tags(text: str) -> None:
    known = r"</?(?:b|i|u|s|h3|small|blockquote|pre|code)>|<span class=\"sp\">|</span>"
    assert "<" not in re.sub(known, "", formatted(text, name))


async def test_the_page_shows_what_people_see(
    ask: Ask, world: World, ada: Person, room: Channel, clock: ManualClock
) -> None:
    ask("PUT", f"/applications/{world.bot.id}/commands", [{"name": "ask", "description": "Ask"}])
    said = ada.say("why & *how*?", channel=room, files=[("notes.txt", b"12345"), ("a.png", b"\x89PNG")])
    ada.react(said, "👀")
    thread = ada.thread("Rain <3", said)
    asked = ada.slash("ask", channel=room)
    ask("POST", f"/interactions/{asked.id}/{asked.token}/callback", {"type": 5, "data": {"flags": 64}})
    buttons = [{"type": 2, "style": 4, "label": "Stop <now>", "custom_id": "s", "emoji": {"name": "🛑"}}]
    buttons += [{"type": 2, "style": 1, "label": "Off", "custom_id": "o", "disabled": True}]
    field = {"name": "Node", "value": "mac"}
    embed: dict[str, Any] = {
        "title": "Answer",
        "description": "**It** rains",
        "fields": [field],
        "footer": {"text": "end"},
    }
    embed |= {"author": {"name": "halext"}, "color": 0xFF0000, "image": {"url": "attachment://i.png"}}
    form = {
        "content": f"{ada.mention}",
        "embeds": [embed],
        "components": [{"type": 1, "components": buttons}],
        "message_reference": {"message_id": str(said.id)},
    }
    picture = Upload(0, "i.png", b"\x89PNG2", "image/png")
    sent = ask("POST", f"/channels/{room.id}/messages", form, files=[picture])
    ask("PATCH", f"/channels/{room.id}/messages/{sent['id']}", {"content": "done"})
    menu = {"type": 1, "components": [{"type": 3, "custom_id": "m", "options": [{"label": "A", "value": "a"}]}]}
    section = {"type": 9, "components": [{"type": 10, "content": "In a box"}], "accessory": buttons[0]}
    gallery = {"type": 12, "items": [{"media": {"url": "attachment://g.png"}}]}
    box = {"type": 17, "components": [section, {"type": 14}, menu, gallery]}
    layout = {"components": [box], "flags": 1 << 15}
    files = [Upload(0, "g.png", b"\x89PNG3", "image/png"), Upload(1, "hidden.txt", b"x", "text/plain")]
    ask("POST", f"/channels/{thread.id}/messages", layout, files=files)
    ada.delete(ada.say("never mind", channel=room))
    await clock.advance(1)
    ask("POST", f"/channels/{thread.id}/typing")
    shown = page(world)
    for piece in (
        *(
            "# general",
            "🧵 Rain &lt;3",
            "why &amp; <i>how</i>?",
            "notes.txt",
            "5 bytes",
            "data:image/png;base64,iVBORw==",
        ),
        *(
            "👀 1",
            "Ada used /ask",
            "halext is thinking …",
            "Only Ada can see this",
            "↰ @Ada why",
            "🛑 Stop &lt;now&gt;",
        ),
        *('class="b s1 off"', "<b>Answer</b>", "<b>It</b> rains", "#ff0000", '<div class="foot">end</div>', "(edited)"),
        *("In a box", "Make a selection ▾", '<div class="sep">', "halext is typing …", "<small>halext</small>"),
    ):
        assert piece in shown, piece
    assert shown.count("base64,iVBORzI=") == 1, "the embed shows it, so it doesn't stand below it again"
    assert shown.count("base64,iVBORzM=") == 1
    assert "never mind" not in shown
    assert "hidden.txt" not in shown
    Balance(shown)


def test_a_backslash_takes_the_meaning_from_a_sign() -> None:
    assert formatted(r"*dream\_8 \* x* \<b\> \*no\*", name) == "<i>dream_8 * x</i> &lt;b&gt; *no*"
    assert formatted(r"`a\_b`", name) == r"<code>a\_b</code>"
