"""Interactions: what a person did, the bot's answer within 3 s, and what it adds within 15 minutes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from halext.testing.discordapi.commands import GROUP, SUBCOMMAND, check_choices
from halext.testing.discordapi.components import check_modal
from halext.testing.discordapi.compose import Composer
from halext.testing.discordapi.forms import Call
from halext.testing.discordapi.refusal import Refusal, invalid, unknown
from halext.testing.discordapi.things import EPHEMERAL, EVERYTHING, LAYOUT, LOADING, Channel, Message, Revision, User

ACK_S = 3.0
"""How long a person waits for the first answer before Discord says that the bot did not respond."""
TOKEN_S = 15 * 60.0
MAX_GUEST_FOLLOW_UPS = 5
"""Follow-ups to one interaction in a server that the bot is not in."""

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
SAY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
ANSWERS = {
    COMMAND: {SAY, DEFER, MODAL},
    COMPONENT: {SAY, DEFER, DEFER_UPDATE, UPDATE, MODAL},
    AUTOCOMPLETE: {CHOICES},
    MODAL_SUBMIT: {SAY, DEFER, DEFER_UPDATE, UPDATE},
}
"""Which callback types answer which interactions."""
CHAT_COMMAND, CONTEXT_COMMAND, FOLLOW_UP = 20, 23, 19


@dataclass(eq=False, slots=True)
class Interaction:
    """What a person did, and what came of it. Times are the clock's `monotonic`.

    `answer` is the type of the bot's callback, None while there is none; `reply` the message that the callback made or
    the one it changes; `choices` and `modal` what the person was shown instead.
    """

    id: int
    token: str = field(repr=False)
    kind: int
    user: User
    channel: Channel
    data: Mapping[str, Any]
    at: float
    message: Message | None = None
    """The message that a pressed button belongs to."""
    answer: int | None = None
    answered_at: float | None = None
    reply: Message | None = None
    follow_ups: list[Message] = field(default_factory=list)
    choices: list[dict[str, Any]] | None = None
    modal: dict[str, Any] | None = None

    @property
    def is_guest(self) -> bool:
        """Whether it took place in a server that the bot is not in."""
        return self.channel.guild is not None and not self.channel.guild.has_bot


class Interactions:
    """Hands interactions to the bot and takes its answers."""

    def __init__(self, composer: Composer) -> None:
        self.world = composer.world
        self.made: list[Interaction] = []
        """Every interaction, oldest first."""
        self.composer = composer

    def open(
        self, kind: int, user: User, channel: Channel, data: Mapping[str, Any], message: Message | None = None
    ) -> Interaction:
        """Tell the bot that a person did something."""
        number = self.world.ids.next()
        interaction = Interaction(
            number, secrets.token_urlsafe(24), kind, user, channel, data, self.world.clock.monotonic(), message
        )
        self.made.append(interaction)
        self.world.emit("INTERACTION_CREATE", self._event(interaction))
        self.world.changed()
        return interaction

    def has_failed(self, interaction: Interaction) -> bool:
        """Whether the person is told that the bot did not respond."""
        return interaction.answer is None and self.world.clock.monotonic() - interaction.at > ACK_S

    def callback(self, call: Call) -> dict[str, Any] | None:
        """The first answer."""
        number, token = call.number("interaction"), call.ids["token"]
        interaction = next((one for one in self.made if one.id == number and one.token == token), None)
        now = self.world.clock.monotonic()
        if interaction is None or (interaction.answer is None and now - interaction.at > ACK_S):
            raise unknown("interaction")
        if interaction.answer is not None:
            raise Refusal(400, 40060, "Interaction has already been acknowledged.")
        answer, data = call.read("type"), call.read("data") or {}
        if answer not in self._allowed(interaction):
            raise invalid("type", f"This interaction can't be answered with type {answer}.", "BASE_TYPE_CHOICES")
        self._answer(interaction, answer, data, call)
        interaction.answer, interaction.answered_at = answer, now
        self.world.changed()
        return self._callback_body(interaction) if call.query.get("with_response") in {"1", "true"} else None

    def follow_up(self, call: Call) -> dict[str, Any]:
        """A further message; the first one after a defer takes the place of the loading one."""
        interaction = self._acknowledged(call)
        first = interaction.reply
        if interaction.answer == DEFER and first and first.is_loading and not first.is_deleted:
            return self._edit(first, call)
        if interaction.is_guest and len(interaction.follow_ups) >= MAX_GUEST_FOLLOW_UPS:
            text = "Maximum number of follow up messages for this interaction has been reached"
            raise Refusal(403, 40094, text)
        message = self._add(interaction, call.payload or {}, call, FOLLOW_UP)
        interaction.follow_ups.append(message)
        return message.json()

    def get(self, call: Call) -> dict[str, Any]:
        """The first answer, or a follow-up."""
        return self._find(call).json()

    def edit(self, call: Call) -> dict[str, Any]:
        """Change the first answer, or a follow-up."""
        return self._edit(self._find(call), call)

    def delete(self, call: Call) -> None:
        """Remove the first answer, or a follow-up."""
        self.world.delete(self._find(call))

    def _allowed(self, interaction: Interaction) -> set[int]:
        allowed = ANSWERS[interaction.kind]
        return allowed if interaction.message or interaction.kind == COMPONENT else allowed - {UPDATE, DEFER_UPDATE}

    def _answer(self, interaction: Interaction, answer: int, data: Mapping[str, Any], call: Call) -> None:
        if answer == SAY:
            interaction.reply = self._add(interaction, data, call, _reply_type(interaction))
        elif answer == DEFER:
            interaction.reply = self._load(interaction, int(data.get("flags") or 0))
        elif answer == CHOICES:
            choices = list(data.get("choices") or [])
            check_choices(choices, "data.choices")
            interaction.choices = choices
        elif answer == MODAL:
            check_modal(data)
            interaction.modal = dict(data)
        else:
            interaction.reply = interaction.message
            if answer == UPDATE and interaction.message:
                self._write(interaction.message, data, call)

    def _load(self, interaction: Interaction, flags: int) -> Message:
        if flags & LAYOUT:
            raise invalid("data.flags", "A deferred answer can't be a layout yet.", "FLAGS_NOT_ALLOWED")
        return self.world.add_message(
            interaction.channel,
            self.world.bot,
            Revision(),
            flags=LOADING | (flags & EPHEMERAL),
            type_=_reply_type(interaction),
            only_for=interaction.user if flags & EPHEMERAL else None,
            interaction=_metadata(interaction),
        )

    def _add(self, interaction: Interaction, data: Mapping[str, Any], call: Call, kind: int) -> Message:
        revision, flags = self.composer.write(interaction.channel, data, call.uploads, Revision(), 0)
        return self.world.add_message(
            interaction.channel,
            self.world.bot,
            revision,
            flags=flags,
            type_=kind,
            only_for=interaction.user if flags & EPHEMERAL else None,
            interaction=_metadata(interaction),
        )

    def _edit(self, message: Message, call: Call) -> dict[str, Any]:
        self._write(message, call.payload or {}, call)
        return message.json()

    def _write(self, message: Message, data: Mapping[str, Any], call: Call) -> None:
        form = {**data, "flags": int(data.get("flags") or 0) & ~EPHEMERAL} if "flags" in data else data
        flags = message.flags & ~LOADING
        revision, flags = self.composer.write(message.channel, form, call.uploads, message.now, flags)
        self.world.revise(message, revision, flags)

    def _acknowledged(self, call: Call) -> Interaction:
        token = call.ids["token"]
        interaction = next((one for one in self.made if one.token == token), None)
        if interaction is None or self.world.clock.monotonic() - interaction.at > TOKEN_S:
            raise Refusal(401, 50027, "Invalid Webhook Token")
        if interaction.answer is None:
            raise unknown("Webhook")
        return interaction

    def _find(self, call: Call) -> Message:
        interaction = self._acknowledged(call)
        number = call.ids["message"]
        own = [message for message in (interaction.reply, *interaction.follow_ups) if message]
        found = (
            interaction.reply if number == "@original" else next((one for one in own if str(one.id) == number), None)
        )
        if found is None or found.is_deleted:
            raise unknown("Message")
        return found

    def _callback_body(self, interaction: Interaction) -> dict[str, Any]:
        about = {"id": str(interaction.id), "type": interaction.kind}
        reply = interaction.reply
        body: dict[str, Any] = {"interaction": about, "resource": {"type": interaction.answer}}
        if reply:
            about |= {"response_message_id": str(reply.id), "response_message_loading": reply.is_loading}
            about["response_message_ephemeral"] = reply.only_for is not None
            body["resource"]["message"] = reply.json()
        return body

    def _event(self, interaction: Interaction) -> dict[str, Any]:
        channel, user, bot = interaction.channel, interaction.user, str(self.world.bot.id)
        guild = channel.guild
        event: dict[str, Any] = {
            "id": str(interaction.id),
            "application_id": bot,
            "type": interaction.kind,
            "version": 1,
            "data": dict(interaction.data),
            "token": interaction.token,
            "locale": "en-US",
            "entitlements": [],
            "channel": {**channel.json(), "permissions": str(EVERYTHING)},
            "channel_id": str(channel.id),
            "app_permissions": str(EVERYTHING),
            "attachment_size_limit": self.composer.file_bytes,
            "context": 0 if guild else 1,
            "authorizing_integration_owners": _owners(interaction),
        }
        if guild:
            rights = {"permissions": str(guild.permissions(user))}
            event |= {"guild": guild.short(), "guild_id": str(guild.id), "guild_locale": "en-US"}
            event["member"] = {**guild.full_member(user), **rights}
        else:
            event["user"] = user.json()
        return {**event, "message": interaction.message.json()} if interaction.message else event


def _owners(interaction: Interaction) -> dict[str, str]:
    if interaction.is_guest:
        return {"1": str(interaction.user.id)}
    return {"0": str(interaction.channel.guild.id if interaction.channel.guild else 0)}


def _metadata(interaction: Interaction) -> dict[str, Any]:
    about = {"id": str(interaction.id), "type": interaction.kind, "user": interaction.user.json()}
    pressed = {"interacted_message_id": str(interaction.message.id)} if interaction.message else {}
    named = {"name": _full_name(interaction.data)} if interaction.kind == COMMAND else {}
    return {**about, **pressed, **named, "authorizing_integration_owners": _owners(interaction)}


def _full_name(data: Mapping[str, Any]) -> str:
    """A command's name with those of its subcommands."""
    name = str(data["name"])
    inner = next((one for one in data.get("options", []) if one["type"] in {SUBCOMMAND, GROUP}), None)
    return f"{name} {_full_name(inner)}" if inner else name


def _reply_type(interaction: Interaction) -> int:
    if interaction.kind != COMMAND:
        return 0
    return CHAT_COMMAND if interaction.data.get("type") == 1 else CONTEXT_COMMAND
