from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.testing.botapi.page import formatted, page
from halext.testing.botapi.people import Person
from halext.testing.botapi.world import World
from halext.testing.clock import ManualClock

Call = Callable[..., Any]


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


MARKS = st.lists(
    st.builds(
        lambda kind, offset, length: {"type": kind, "offset": offset, "length": length},
        st.sampled_from(["bold", "italic", "code", "pre", "blockquote", "spoiler", "mention"]),
        st.integers(0, 5),
        st.integers(1, 5),
    ),
    max_size=4,
)


@given(st.text(st.sampled_from("ab<>&é"), min_size=10, max_size=12), MARKS)
def test_marks_become_balanced_html_around_the_same_text(text: str, marks: list[dict[str, Any]]) -> None:
    assert Balance(formatted(text, marks)).text == text


@pytest.mark.parametrize(
    ("mark", "shown"),
    [
        ({"type": "bold"}, "<b>a</b>b"),
        ({"type": "text_link", "url": 'x"y'}, '<a href="x&quot;y">a</a>b'),
        ({"type": "pre", "language": "py"}, '<pre><code class="language-py">a</code></pre>b'),
        ({"type": "custom_emoji"}, "ab"),
    ],
)
def test_marks(mark: dict[str, Any], shown: str) -> None:
    assert formatted("ab", [{**mark, "offset": 0, "length": 1}]) == shown


async def test_the_page_shows_what_people_see(world: World, ada: Person, call: Call, clock: ManualClock) -> None:
    group = world.add_chat("supergroup", "Home & garden", [ada.user], is_forum=True)
    topic = world.add_topic(group, "Models")
    asked = ada.say("why?", chat=group, topic=topic)
    buttons = {"inline_keyboard": [[{"text": "Stop <now>", "callback_data": "s"}]]}
    sent = call("sendMessage", chat_id=ada.id, text="*rain*", parse_mode="MarkdownV2", reply_markup=buttons)
    call("editMessageText", chat_id=ada.id, message_id=sent["message_id"], text="snow", reply_markup=buttons)
    call("setMessageReaction", chat_id=ada.id, message_id=1, reaction=[{"type": "emoji", "emoji": "👀"}])
    ada.say("see", photo=b"\x89PNG", reply_to=ada.chat.messages[1])
    ada.say(document=("notes.txt", b"12345"))
    ada.forward(asked)
    call("sendRichMessage", chat_id=group.id, rich_message={"markdown": "# Rich"}, message_thread_id=topic)
    call("pinChatMessage", chat_id=ada.id, message_id=1)
    call("sendMessageDraft", chat_id=ada.id, draft_id=1, text="")
    call("sendRichMessageDraft", chat_id=ada.id, draft_id=2, rich_message={"markdown": "~~x~~"})
    call("sendChatAction", chat_id=group.id, action="upload_photo")
    gone = ada.say("never mind")
    ada.delete(gone)
    shown = page(world)
    for piece in (
        *("Home &amp; garden", "<h2># Models</h2>", "<span>Stop &lt;now&gt;</span>", "edited ", "<span>👀</span>"),
        *("data:image/png;base64,iVBORw==", "notes.txt", "5 bytes", "forwarded from Ada", "<h1>Rich</h1>", "📌 hi"),
        *("Thinking…", "<s>x</s>", "halext: upload photo …", '<div class="m me">', '<div class="r">hi</div>'),
    ):
        assert piece in shown
    assert "rain" not in shown
    assert "never mind" not in shown
    Balance(shown)
