"""The channels as people see them, as one page of HTML that needs nothing else."""

from __future__ import annotations

import base64
import html
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from halext.testing.discordapi.components import BUTTON, ROW, SECTION, SELECTS, TEXT
from halext.testing.discordapi.snowflake import seconds
from halext.testing.discordapi.things import LAYOUT, Attachment, Channel, Message, User, button_text
from halext.testing.discordapi.world import World

STYLE = """
body{margin:0;padding:24px;background:#1e1f22;font:15px/1.4 system-ui,sans-serif;color:#dbdee1;display:flex;
  flex-wrap:wrap;gap:24px;align-items:flex-start}
section{width:620px;background:#313338;border-radius:10px;overflow:hidden;box-shadow:0 2px 10px #0006}
header{padding:12px 16px;font-weight:600;color:#f2f3f5;border-bottom:1px solid #26272b}
header small{font-weight:400;color:#949ba4;margin-left:8px}
main{padding:12px 16px;display:flex;flex-direction:column;gap:14px}
.m{display:grid;grid-template-columns:40px 1fr;gap:14px}
.a{width:40px;height:40px;border-radius:50%;display:grid;place-items:center;color:#fff;font-weight:600;font-size:18px}
.w{font-weight:600;color:#f2f3f5}
.w i{font-style:normal;background:#5865f2;border-radius:4px;font-size:10px;padding:1px 5px;margin-left:5px}
.w small,.ed,.eph{font-weight:400;font-size:12px;color:#949ba4;margin-left:6px}
.eph{margin:4px 0 0}
.q{font-size:13px;color:#b5bac1;border-left:2px solid #4e5058;padding-left:7px;margin-bottom:3px;white-space:nowrap;
  overflow:hidden;text-overflow:ellipsis;max-width:500px}
.c{white-space:pre-wrap;overflow-wrap:anywhere}
.c h3{margin:6px 0 2px;font-size:17px;color:#f2f3f5}
.think{color:#949ba4;font-style:italic}
.at{background:#3c4270;color:#c9cdfb;border-radius:3px;padding:0 3px}
pre{background:#2b2d31;border:1px solid #1e1f22;border-radius:5px;padding:8px;margin:4px 0;white-space:pre-wrap}
code{background:#2b2d31;border-radius:4px;padding:0 4px;font:13px/1.4 ui-monospace,monospace}
pre code{padding:0;background:none}
blockquote{margin:2px 0;padding-left:10px;border-left:4px solid #4e5058}
.sp{background:#1e1f22;color:#6d6f78;border-radius:3px;padding:0 3px}
.e,.box{background:#2b2d31;border-left:4px solid #4e5058;border-radius:5px;padding:10px 14px;margin-top:6px;
  max-width:500px}
.e b{color:#f2f3f5}
.e .f{display:inline-block;min-width:140px;margin:6px 12px 0 0;vertical-align:top}
.e .foot{font-size:12px;color:#949ba4;margin-top:6px}
.r{display:flex;flex-wrap:wrap;gap:8px;margin-top:6px}
.b{border-radius:6px;padding:6px 14px;background:#4e5058;color:#fff;font-size:14px}
.s1{background:#5865f2}.s3{background:#248046}.s4{background:#da373c}
.off{opacity:.45}
.sel{flex:1;max-width:400px;background:#1e1f22;border-radius:6px;padding:8px 12px;color:#949ba4}
.sec{display:flex;justify-content:space-between;gap:12px;align-items:flex-start}
.sep{border-top:1px solid #4e5058;margin:8px 0}
img{max-width:100%;max-height:300px;border-radius:8px;display:block;margin-top:6px}
.file{background:#2b2d31;border:1px solid #1e1f22;border-radius:8px;padding:9px 12px;margin-top:6px;max-width:400px}
.emo span{background:#2b2d31;border-radius:8px;padding:2px 8px;margin:4px 6px 0 0;display:inline-block;font-size:14px}
.th{margin-top:6px;font-size:13px;color:#a8b0ff}
.ty{font-size:13px;color:#949ba4}
"""
COLOURS = ("#5865f2", "#3ba55d", "#d68a00", "#c0398a", "#2f8fb8", "#8a5ad6")
CODE = re.compile(r"((?<!\\)(?:```.*?```|`[^`\n]+`))", re.DOTALL)
MARKS: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"^#{1,3} (.+)$", re.MULTILINE), r"<h3>\1</h3>"),
    (re.compile(r"^-# (.+)$", re.MULTILINE), r"<small>\1</small>"),
    (re.compile(r"^&gt; ?(.*)$", re.MULTILINE), r"<blockquote>\1</blockquote>"),
    (re.compile(r"^([-*]) ", re.MULTILINE), "• "),
    (re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)"), r'<a style="color:#00a8fc">\1</a>'),
    (re.compile(r"\|\|(.+?)\|\|", re.DOTALL), r'<span class="sp">\1</span>'),
    (re.compile(r"\*\*(.+?)\*\*", re.DOTALL), r"<b>\1</b>"),
    (re.compile(r"__(.+?)__", re.DOTALL), r"<u>\1</u>"),
    (re.compile(r"~~(.+?)~~", re.DOTALL), r"<s>\1</s>"),
    (re.compile(r"(?<![*\w])\*([^*\n]+)\*(?!\w)"), r"<i>\1</i>"),
    (re.compile(r"(?<![_\w])_([^_\n]+)_(?!\w)"), r"<i>\1</i>"),
)
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
"""A backslash takes the meaning from a sign; until the end such signs wait in Unicode's private area."""
HIDDEN = 0xE000
SHOWN = {HIDDEN + sign: html.escape(chr(sign), quote=False) for sign in range(0x21, 0x7F)}
NAMED = re.compile(r"&lt;@(!|&amp;)?(\d+)&gt;|&lt;#(\d+)&gt;|(@everyone|@here)")


def page(world: World) -> str:
    """Every channel in which something was written, in the order in which they came to be."""
    shown = [_Channel(world, channel).html() for channel in world.channels.values() if channel.shown or channel.typing]
    title = html.escape(f"{world.bot.name} on Discord")
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(shown)}</body></html>'


def formatted(text: str, name: Callable[[str, int], str]) -> str:
    """Discord's Markdown as HTML; `name` says what an id is called, by "user", "role" or "channel"."""
    parts = (_code(part) if at % 2 else _marked(part, name) for at, part in enumerate(CODE.split(text)))
    return re.sub(r"(</(?:h3|blockquote|pre)>)\n", r"\1", "".join(parts))  # they end their line by themselves


def _code(part: str) -> str:
    if not part.startswith("```"):
        return f"<code>{html.escape(part[1:-1])}</code>"
    inner = part[3:-3]
    first, newline, rest = inner.partition("\n")
    body = rest if newline and re.fullmatch(r"[\w+#.-]*", first) else inner
    return f"<pre><code>{html.escape(body.strip(chr(10)))}</code></pre>"


def _marked(part: str, name: Callable[[str, int], str]) -> str:
    text = html.escape(ESCAPED.sub(lambda found: chr(HIDDEN + ord(found[1])), part), quote=False)
    for pattern, replacement in MARKS:
        text = pattern.sub(replacement, text)

    def named(found: re.Match[str]) -> str:
        mark, account, room, everyone = found.groups()
        kind = "channel" if room else "role" if mark == "&amp;" else "user"
        label = everyone or f"{'#' if room else '@'}{html.escape(name(kind, int(account or room)))}"
        return f'<span class="at">{label}</span>'

    return NAMED.sub(named, text).translate(SHOWN)


class _Channel:
    """Draws one channel."""

    def __init__(self, world: World, channel: Channel) -> None:
        self._world = world
        self._channel = channel

    def html(self) -> str:
        channel = self._channel
        mark = {"text": "# ", "dm": "@ ", "thread": "🧵 "}[channel.kind]
        place = "direct message" if channel.guild is None else channel.guild.name
        head = f"<header>{mark}{html.escape(channel.name)}<small>{html.escape(place)}</small></header>"
        messages = "".join(self._message(message) for message in channel.shown)
        typing = [user.name for user in channel.members if self._world.is_typing(channel, user)]
        line = f'<div class="ty">{html.escape(", ".join(typing))} is typing …</div>' if typing else ""
        return f"<section>{head}<main>{messages}{line}</main></section>"

    def _message(self, message: Message) -> str:
        author = message.author
        moment = time.strftime("%H:%M", time.gmtime(seconds(message.id)))
        badge = "<i>APP</i>" if author.is_bot else ""
        parts = [self._quote(message)]
        parts.append(f'<div class="w">{html.escape(author.name)}{badge}<small>{moment}</small></div>')
        parts.append(self._content(message))
        parts += [self._embed(message, embed) for embed in message.embeds]
        parts += [_file(one) for one in _loose(message)]
        parts += [self._component(message, one) for one in message.now.components]
        if message.reactions:
            spans = "".join(f"<span>{html.escape(emoji)} {len(who)}</span>" for emoji, who in message.reactions.items())
            parts.append(f'<div class="emo">{spans}</div>')
        if message.thread:
            parts.append(f'<div class="th">🧵 {html.escape(message.thread.name)}</div>')
        if message.only_for:
            parts.append(f'<div class="eph">👁 Only {html.escape(message.only_for.name)} can see this</div>')
        return f'<div class="m">{_avatar(author)}<div>{"".join(parts)}</div></div>'

    def _quote(self, message: Message) -> str:
        if message.reply_to:
            old = message.reply_to
            said = "Original message was deleted" if old.is_deleted else f"@{old.author.name} {old.text[:90] or '…'}"
            return f'<div class="q">↰ {html.escape(said)}</div>'
        if message.interaction and message.type in {20, 23}:
            who, what = message.interaction["user"]["global_name"], message.interaction["name"]
            slash = "/" if message.type == 20 else ""
            return f'<div class="q">↰ {html.escape(f"{who} used {slash}{what}")}</div>'
        return ""

    def _content(self, message: Message) -> str:
        if message.is_loading:
            return f'<div class="c think">{html.escape(message.author.name)} is thinking …</div>'
        edited = '<span class="ed">(edited)</span>' if message.edited_at is not None else ""
        return f'<div class="c">{formatted(message.now.content, self._name)}{edited}</div>'

    def _embed(self, message: Message, embed: Mapping[str, Any]) -> str:
        colour = f"#{int(embed.get('color') or 0x4E5058):06x}"
        parts = []
        if embed.get("author"):
            parts.append(f"<small>{html.escape(str(embed['author'].get('name', '')))}</small><br>")
        if embed.get("title"):
            parts.append(f"<b>{formatted(embed['title'], self._name)}</b>")
        if embed.get("description"):
            parts.append(f'<div class="c">{formatted(embed["description"], self._name)}</div>')
        for field in embed.get("fields") or []:
            name, value = formatted(field["name"], self._name), formatted(field["value"], self._name)
            parts.append(f'<div class="f"><b>{name}</b><div class="c">{value}</div></div>')
        parts += [_file(file) for file in message.attachments if file.name in _pictures(embed)]
        if embed.get("footer"):
            parts.append(f'<div class="foot">{html.escape(str(embed["footer"].get("text", "")))}</div>')
        return f'<div class="e" style="border-color:{colour}">{"".join(parts)}</div>'

    def _component(self, message: Message, one: Mapping[str, Any]) -> str:
        kind = one["type"]
        inner = "".join(self._component(message, part) for part in one.get("components", []))
        off = " off" if one.get("disabled") else ""
        if kind == ROW:
            return f'<div class="r">{inner}</div>'
        if kind == BUTTON:
            label = button_text(one) if one.get("label") is None else f"{_emoji(one)}{one['label']}"
            return f'<span class="b s{one["style"]}{off}">{html.escape(label)}</span>'
        if kind in SELECTS:
            return f'<span class="sel{off}">{html.escape(str(one.get("placeholder") or "Make a selection"))} ▾</span>'
        if kind == TEXT:
            return f'<div class="c">{formatted(one["content"], self._name)}</div>'
        if kind == SECTION:
            side = self._component(message, one["accessory"])
            return f'<div class="sec"><div>{inner}</div>{side}</div>'
        return _picture(message, one) or {14: '<div class="sep"></div>'}.get(kind, f'<div class="box">{inner}</div>')

    def _name(self, kind: str, number: int) -> str:
        world = self._world
        roles = {role.id: role.name for guild in world.guilds.values() for role in guild.roles}
        known: Mapping[str, Mapping[int, str]] = {
            "user": {one.id: one.name for one in world.users.values()},
            "role": roles,
            "channel": {one.id: one.name for one in world.channels.values()},
        }
        return known[kind].get(number, "unknown")


def _avatar(user: User) -> str:
    colour = COLOURS[user.id % len(COLOURS)]
    return f'<div class="a" style="background:{colour}">{html.escape(user.name[:1].upper())}</div>'


def _emoji(button: Mapping[str, Any]) -> str:
    name = (button.get("emoji") or {}).get("name")
    return f"{name} " if name else ""


def _picture(message: Message, one: Mapping[str, Any]) -> str:
    """What a gallery, thumbnail or file component shows; it names its file as `attachment://name`."""
    items = [*one.get("items", []), *([one] if one["type"] in {11, 13} else [])]
    urls = [str((item.get("media") or item.get("file") or {}).get("url", "")) for item in items]
    files = {f"attachment://{file.name}": file for file in message.attachments}
    return "".join(_file(files[url]) for url in urls if url in files)


def _pictures(embed: Mapping[str, Any]) -> set[str]:
    """The names of the message's own files that an embed shows."""
    urls = [str((embed.get(name) or {}).get("url", "")) for name in ("image", "thumbnail")]
    return {url.removeprefix("attachment://") for url in urls if url.startswith("attachment://")}


def _loose(message: Message) -> list[Attachment]:
    """The files below a message: those that neither an embed shows nor, in a layout, any component can."""
    if message.flags & LAYOUT:
        return []
    shown = {name for embed in message.embeds for name in _pictures(embed)}
    return [file for file in message.attachments if file.name not in shown]


def _file(file: Attachment) -> str:
    if file.content_type.startswith("image/"):
        data = base64.b64encode(file.data).decode()
        return f'<img alt="" src="data:{html.escape(file.content_type)};base64,{data}">'
    return f'<div class="file">⤓ {html.escape(file.name)}<br><small>{len(file.data):,} bytes</small></div>'
