"""The chats as people see them, as one page of HTML that needs nothing else."""

from __future__ import annotations

import base64
import html
import itertools
import re
import time
from collections.abc import Mapping
from typing import Any

from halext.testing.botapi.rich_page import rich_html
from halext.testing.botapi.text import Text, ordered
from halext.testing.botapi.world import Chat, Draft, Message, World

STYLE = """
body{margin:0;padding:24px;background:#dfe5ea;font:15px/1.4 system-ui,sans-serif;color:#111;display:flex;
  flex-wrap:wrap;gap:24px;align-items:flex-start}
section{width:440px;background:#c8d7c0;border-radius:14px;overflow:hidden;box-shadow:0 2px 10px #0002}
header{background:#fff;padding:12px 16px;font-weight:600}
header small{display:block;font-weight:400;color:#778}
main{padding:12px;display:flex;flex-direction:column;gap:6px}
h2{font-size:13px;text-align:center;color:#4a5a44;margin:8px 0 2px}
.m{max-width:88%;align-self:flex-start}
.me{align-self:flex-end}
.b{background:#fff;border-radius:14px;padding:7px 11px;overflow-wrap:anywhere;white-space:pre-wrap;display:flow-root}
.me .b{background:#e3fdd0}
.draft .b{opacity:.6;border:1px dashed #789}
.who{color:#3a7bb8;font-size:13px;font-weight:600}
.t{float:right;margin:6px 0 -4px 10px;font-size:11px;color:#789}
.r{border-left:3px solid #3a7bb8;padding-left:7px;font-size:13px;color:#456;margin:2px 0 4px;
  white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
pre{background:#f0f2f4;border-radius:8px;padding:8px;margin:4px 0;white-space:pre-wrap}
code{font:13px/1.4 ui-monospace,monospace;background:#f0f2f4;border-radius:4px}
pre code{background:none}
blockquote{margin:4px 0;padding:3px 9px;border-left:3px solid #8ab;background:#eef4fa;border-radius:4px}
.spoiler{background:#bbb;border-radius:3px;color:transparent}
img{max-width:100%;border-radius:8px;display:block;margin:2px 0}
.file{display:flex;gap:9px;align-items:center;padding:3px 0}
.file i{background:#3a7bb8;color:#fff;border-radius:50%;width:38px;height:38px;display:grid;place-items:center;
  font-style:normal}
.k{display:flex;gap:4px;margin-top:4px}
.k span{flex:1;text-align:center;background:#4e6f45cc;color:#fff;border-radius:8px;padding:6px 4px;font-size:14px}
.e span{background:#e8f1fa;border-radius:9px;padding:1px 7px;margin-right:4px;font-size:13px}
.rich{white-space:normal}
.rich h1,.rich h2,.rich h3,.rich h4,.rich h5,.rich h6{margin:8px 0 3px;text-align:left;color:#111;font-size:17px}
.rich p{margin:4px 0;white-space:pre-wrap}
.rich ul{margin:4px 0;padding-left:8px;list-style:none}
.rich li p{display:inline}
.rich table{border-collapse:collapse;margin:6px 0}
.rich td,.rich th{border:1px solid #bcc;padding:3px 8px;text-align:left}
.rich th{background:#f0f2f4}
"""
TAGS = {
    "bold": ("<b>", "</b>"),
    "italic": ("<i>", "</i>"),
    "underline": ("<u>", "</u>"),
    "strikethrough": ("<s>", "</s>"),
    "spoiler": ('<span class="spoiler">', "</span>"),
    "code": ("<code>", "</code>"),
    "blockquote": ("<blockquote>", "</blockquote>"),
    "expandable_blockquote": ("<blockquote>", "</blockquote>"),
}
LINKED = frozenset({"url", "email", "mention", "bot_command", "hashtag", "text_mention"})


def page(world: World) -> str:
    """Every chat in which something was written, in the order in which they came to be."""
    chats = [_chat(world, chat) for chat in world.chats.values() if chat.shown or world.drafts(chat)]
    title = html.escape(f"{world.bot.first_name} on Telegram")
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(chats)}</body></html>'


def formatted(text: str, entities: list[dict[str, Any]]) -> str:
    """A text with its entities, as HTML."""
    units = text.encode("utf-16-le")
    marks = ordered(entities)
    edges = {0, len(units) // 2}
    edges |= {edge for mark in marks for edge in (mark["offset"], mark["offset"] + mark["length"])}
    parts = []
    stops = sorted(edges)
    for start, end in itertools.pairwise(stops):
        around = [_tags(mark) for mark in marks if mark["offset"] <= start and end <= mark["offset"] + mark["length"]]
        piece = html.escape(units[2 * start : 2 * end].decode("utf-16-le", "replace"))
        parts.append("".join(tag for tag, _ in around) + piece + "".join(tag for _, tag in reversed(around)))
    return "".join(parts)


def _tags(mark: Mapping[str, Any]) -> tuple[str, str]:
    kind = mark["type"]
    if kind == "text_link":
        return f'<a href="{html.escape(mark["url"])}">', "</a>"
    if kind == "pre":
        language = html.escape(mark.get("language", ""))
        return f'<pre><code class="language-{language}">', "</code></pre>"
    if kind in LINKED:
        return '<a href="#">', "</a>"
    return TAGS.get(kind, ("", ""))


def _chat(world: World, chat: Chat) -> str:
    count = "private chat" if chat.kind == "private" else f"{chat.kind}, {len(chat.people)} people"
    action = world.action(chat)
    state = f"{world.bot.first_name}: {action.replace('_', ' ')} …" if action else count
    pinned = chat.messages[chat.pinned[-1]].text[:60] if chat.pinned else ""
    lines = [f"<header>{html.escape(chat.title)}<small>{html.escape(state)}</small>"]
    lines.append(f"<small>📌 {html.escape(pinned)}</small></header><main>" if pinned else "</header><main>")
    for topic in (0, *chat.topics):
        bubbles = [_bubble(world, message) for message in chat.shown if message.topic == topic]
        bubbles += [_draft(draft) for draft in world.drafts(chat) if draft.topic == topic]
        heading = f"<h2># {html.escape(chat.topics[topic])}</h2>" if topic else ""
        lines += [heading, *bubbles] if bubbles else []
    return f"<section>{''.join(lines)}</main></section>"


def _bubble(world: World, message: Message) -> str:
    sender = message.sender or message.chat.json()
    is_mine = message.chat.kind == "private" and sender.get("id") != world.bot.id
    name = message.extra.get("sender_chat", sender)
    parts = [] if message.chat.kind == "private" else [f'<div class="who">{html.escape(_name(name))}</div>']
    if "forward_origin" in message.extra:
        origin = message.extra["forward_origin"]
        source = origin.get("sender_user") or origin.get("chat") or origin.get("sender_chat") or {}
        parts.append(f'<div class="who">forwarded from {html.escape(_name(source))}</div>')
    if message.reply_to:
        parts.append(f'<div class="r">{html.escape(message.reply_to.text[:80] or "…")}</div>')
    parts.append(_content(world, message))
    mark = "edited " if message.edited_at is not None else ""
    moment = time.strftime("%H:%M", time.gmtime(message.date))
    parts.append(f'<span class="t">{mark}{moment}</span>')
    if message.reactions:
        parts.append(f'<div class="e">{"".join(f"<span>{emoji}</span>" for emoji in message.reactions.values())}</div>')
    return f'<div class="m{" me" if is_mine else ""}"><div class="b">{"".join(parts)}</div>{_keyboard(message)}</div>'


def _name(account: Mapping[str, Any]) -> str:
    return str(account.get("title") or account.get("first_name") or "?")


def _content(world: World, message: Message) -> str:
    content = message.content
    if "rich_message" in content:
        return f'<div class="rich">{rich_html(content["rich_message"]["blocks"])}</div>'
    shown = formatted(message.text, message.entities)
    return _media(world, content) + re.sub(r"\n(?=<(?:pre|blockquote)>)|(?<=</pre>)\n|(?<=</blockquote>)\n", "", shown)


def _media(world: World, content: Mapping[str, Any]) -> str:
    if content.get("photo"):
        upload = world.files[content["photo"][-1]["file_id"]].upload
        data = base64.b64encode(upload.data).decode()
        return f'<img alt="" src="data:{html.escape(upload.content_type)};base64,{data}">'
    for kind in ("document", "voice", "audio", "video", "animation"):
        if content.get(kind):
            name = str(content[kind].get("file_name", kind))
            size = f"{content[kind]['file_size']:,} bytes"
            return f'<div class="file"><i>⤓</i><div>{html.escape(name)}<br><small>{size}</small></div></div>'
    return ""


def _keyboard(message: Message) -> str:
    rows = (message.markup or {}).get("inline_keyboard", [])
    labels = [[f"<span>{html.escape(button['text'])}</span>" for button in row] for row in rows]
    return "".join(f'<div class="k">{"".join(row)}</div>' for row in labels)


def _draft(draft: Draft) -> str:
    text = draft.text if draft.text.text else Text("Thinking…")
    shown = rich_html(draft.rich["blocks"]) if draft.rich else formatted(text.text, list(text.entities))
    return f'<div class="m draft"><div class="b{" rich" if draft.rich else ""}">{shown}</div></div>'
