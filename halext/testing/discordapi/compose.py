"""From what a bot sends to what a message says; whatever Discord would refuse is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from halext.testing.discordapi import components, limits, mentions
from halext.testing.discordapi.forms import Upload
from halext.testing.discordapi.refusal import Refusal, Unsupported, invalid
from halext.testing.discordapi.things import (
    EPHEMERAL,
    LAYOUT,
    SILENT,
    SUPPRESS_EMBEDS,
    Attachment,
    Channel,
    Revision,
)
from halext.testing.discordapi.world import World

KNOWN = frozenset({"content", "embeds", "components", "attachments", "allowed_mentions", "flags", "tts", "nonce"})
ELSEWHERE = frozenset({"enforce_nonce", "message_reference"})
"""Fields of a send that others read."""


class Composer:
    """Makes revisions. `file_bytes` is how big a file may be."""

    def __init__(self, world: World, file_bytes: int) -> None:
        self.world = world
        self.file_bytes = file_bytes

    def write(
        self, channel: Channel, payload: Mapping[str, Any] | None, uploads: Sequence[Upload], old: Revision, flags: int
    ) -> tuple[Revision, int]:
        """What `old` says once `payload` has changed it, and its flags."""
        form = payload or {}
        if strange := {name for name, value in form.items() if value} - KNOWN - ELSEWHERE:
            raise Unsupported(f"messages with {', '.join(sorted(strange))}")
        flags = _flags(flags, form.get("flags"))
        mentions.check(form.get("allowed_mentions"))
        new = dataclasses.replace(
            old,
            content=str(form["content"] or "").strip() if "content" in form else old.content,
            embeds=form["embeds"] or [] if "embeds" in form else old.embeds,
            components=components.numbered(form["components"] or []) if "components" in form else old.components,
            allowed_mentions=form.get("allowed_mentions"),
        )
        _check(new, flags)
        new = dataclasses.replace(new, attachments=self._files(channel, form, uploads, old))
        if not (new.content or new.embeds or new.components or new.attachments):
            raise Refusal(400, 50006, "Cannot send an empty message")
        return new, flags

    def _files(
        self, channel: Channel, form: Mapping[str, Any], uploads: Sequence[Upload], old: Revision
    ) -> list[Attachment]:
        named = {str(one["id"]): one for one in form.get("attachments") or []}
        kept = [one for one in old.attachments if "attachments" not in form or str(one.id) in named]
        count = len(kept) + len(uploads)
        limits.check_files((len(one.data) for one in uploads), file_bytes=self.file_bytes, count=count)
        for upload in uploads:
            about = named.get(str(upload.number), {})
            name, note = str(about.get("filename") or upload.name), str(about.get("description") or "")
            kept.append(self.world.keep(channel, name, upload.data, upload.content_type, note))
        return kept


def _flags(old: int, asked: int | None) -> int:
    """Flags after a change: what a bot may set, and a layout stays one."""
    if asked is None:
        return old
    settable = SUPPRESS_EMBEDS | LAYOUT | SILENT | EPHEMERAL
    return (old & ~SUPPRESS_EMBEDS) | (asked & settable)


def _check(revision: Revision, flags: int) -> None:
    if flags & LAYOUT and (revision.content or revision.embeds):
        text = "The 'content' and 'embeds' fields cannot be used when using MessageFlags.IS_COMPONENTS_V2"
        raise invalid("content", text, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2")
    limits.check_content(revision.content)
    limits.check_embeds(revision.embeds)
    components.check_message(revision.components, is_layout=bool(flags & LAYOUT))
