"""People: they can do what a person can do in Discord's own app, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from halext.testing.discordapi import components, filling, limits, options
from halext.testing.discordapi.commands import GROUP, MESSAGE, SLASH, SUBCOMMAND, USER, Command, Commands
from halext.testing.discordapi.components import BUTTON, SELECTS, walk
from halext.testing.discordapi.interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL_SUBMIT,
    Interaction,
    Interactions,
)
from halext.testing.discordapi.things import EVERYTHING, Channel, Guild, Message, Revision, User, button_text
from halext.testing.discordapi.world import World

File = tuple[str, bytes]


class Person:
    """Someone with a Discord account. `chat` is the conversation with the bot."""

    def __init__(self, world: World, commands: Commands, interactions: Interactions, user: User) -> None:
        self.user = user
        self._world = world
        self._commands = commands
        self._interactions = interactions

    def __repr__(self) -> str:
        return f"Person({self.user.name!r}, {self.user.id})"

    @property
    def id(self) -> int:
        """Of the account."""
        return self.user.id

    @property
    def mention(self) -> str:
        """What others write to ping her."""
        return f"<@{self.user.id}>"

    @property
    def chat(self) -> Channel:
        """The conversation with the bot."""
        return self._world.add_dm(self.user)

    def say(
        self,
        text: str = "",
        *,
        channel: Channel | None = None,
        reply_to: Message | None = None,
        files: Sequence[File] = (),
        mention: bool = False,
    ) -> Message:
        """Write a message, in a DM unless a channel is given; `mention` puts the bot's name before the text."""
        place = self._place(channel)
        if place.is_locked:
            raise ValueError(f"{place.name} is locked")
        content = f"<@{self._world.bot.id}> {text}".strip() if mention else text.strip()
        _check_text(content, files)
        if reply_to and (reply_to.channel is not place or reply_to.is_deleted):
            raise ValueError("the answered message isn't in this channel")
        attachments = [self._world.keep(place, name, data) for name, data in files]
        if place.kind == "thread":
            self._world.join(place, self.user)
        return self._world.add_message(place, self.user, Revision(content, attachments=attachments), reply_to=reply_to)

    def edit(self, message: Message, text: str) -> None:
        """Change the text of an own message."""
        self._check_own(message)
        _check_text(text, message.attachments)
        self._world.revise(message, Revision(text.strip(), attachments=message.attachments))

    def delete(self, message: Message) -> None:
        """Remove an own message."""
        self._check_own(message)
        self._world.delete(message)

    def react(self, message: Message, emoji: str) -> None:
        """Put an emoji under a message."""
        self._check_sees(message)
        self._world.react(message, emoji, self.user)

    def unreact(self, message: Message, emoji: str) -> None:
        """Take the own emoji back."""
        if self.id not in message.reactions.get(emoji, []):
            raise LookupError(f"{self.user.name} didn't react with {emoji}")
        self._world.react(message, emoji, self.user, is_leaving=True)

    def type(self, channel: Channel | None = None) -> None:
        """Begin to write something."""
        self._world.type(self._place(channel), self.user)

    def thread(self, name: str, start: Message | Channel) -> Channel:
        """Start a thread, on a message or in a channel."""
        message = start if isinstance(start, Message) else None
        channel = self._place(message.channel if message else start if isinstance(start, Channel) else None)
        if channel.kind != "text" or (message and message.thread):
            raise ValueError("a thread begins in a channel, or on a message that has none yet")
        return self._world.add_thread(channel, name, self.user, start=message)

    def kick_bot(self, guild: Guild) -> None:
        """Remove the bot from a guild of hers."""
        if guild.permissions(self.user) != EVERYTHING or not guild.has_bot:
            raise ValueError(f"{self.user.name} can't kick the bot from {guild.name}")
        self._world.remove_bot(guild)

    def close_dms(self) -> None:
        """Let the bot write no more."""
        self.user.has_closed_dms = True

    def commands(self, channel: Channel | None = None) -> list[str]:
        """The slash commands that Discord offers here."""
        return [one.name for one in self._offered(self._place(channel)) if one.kind == SLASH]

    def slash(
        self, name: str, values: Mapping[str, Any] | None = None, /, *, channel: Channel | None = None, **more: Any
    ) -> Interaction:
        """Use a slash command: `slash("model set", name="llama3.2:3b")`.

        People, roles and channels are given as themselves, files as `(name, data)`; an option called "channel" is given
        in `values`. LookupError when the command isn't offered here, ValueError for options that Discord doesn't let a
        person send.
        """
        return self._type(COMMAND, name, channel, {**(values or {}), **more}, "")

    def complete(
        self,
        name: str,
        option: str,
        text: str = "",
        values: Mapping[str, Any] | None = None,
        /,
        *,
        channel: Channel | None = None,
        **more: Any,
    ) -> Interaction:
        """Begin to type an option; the suggestions appear in `choices` of what is returned."""
        return self._type(AUTOCOMPLETE, name, channel, {**(values or {}), **more, option: text}, option)

    def menu(self, name: str, target: Message | Person, *, channel: Channel | None = None) -> Interaction:
        """Choose a command from the menu of a message or of a person."""
        place = self._place(target.channel if isinstance(target, Message) else channel)
        command = self._command(name, place, MESSAGE if isinstance(target, Message) else USER)
        resolved = self._resolved(place)
        if isinstance(target, Message):
            self._check_sees(target)
            target_id = resolved.put_message(target.id, target.json())
        else:
            target_id = str(resolved.value(target.user))
        data = {**self._head(command), "target_id": target_id, **resolved.json()}
        return self._interactions.open(COMMAND, self.user, place, data)

    def click(self, message: Message, button: str) -> Interaction:
        """Press the button with this text or `custom_id`. LookupError when it isn't there, ValueError when it's off."""
        self._check_sees(message)
        buttons = [one for one in walk(message.now.components) if one["type"] == BUTTON]
        found = next((one for one in buttons if button in {button_text(one), one.get("custom_id")}), None)
        if found is None:
            raise LookupError(f"there is no button {button!r} on this message, only {message.buttons}")
        if found.get("disabled"):
            raise ValueError(f"the button {button!r} is disabled")
        if not found.get("custom_id"):
            raise ValueError(f"{button!r} opens something on the person's own device; the bot doesn't hear of it")
        data = {"custom_id": found["custom_id"], "component_type": BUTTON, "id": found["id"]}
        return self._interactions.open(COMPONENT, self.user, message.channel, data, message)

    def select(self, message: Message, menu: str, *chosen: Any) -> Interaction:
        """Choose from the menu with this placeholder or `custom_id`: the labels of its options, or people and so on."""
        self._check_sees(message)
        menus = [one for one in walk(message.now.components) if one["type"] in SELECTS]
        found = next((one for one in menus if menu in {one.get("placeholder"), one["custom_id"]}), None)
        if found is None:
            raise LookupError(f"there is no menu {menu!r} on this message")
        if found.get("disabled"):
            raise ValueError(f"the menu {menu!r} is disabled")
        resolved = self._resolved(message.channel)
        values = filling.chosen(found, [_account(one) for one in chosen], resolved)
        data = {"custom_id": found["custom_id"], "component_type": found["type"], "id": found["id"], "values": values}
        return self._interactions.open(COMPONENT, self.user, message.channel, {**data, **resolved.json()}, message)

    def submit(self, interaction: Interaction, fields: Mapping[str, Any] | None = None, /, **more: Any) -> Interaction:
        """Fill in the form that the bot showed, by the labels or the `custom_id`s of its fields, and send it.

        LookupError when it has no such field; ValueError when one is missing, or its text too short or too long.
        """
        if interaction.modal is None or interaction.user is not self.user:
            raise ValueError(f"{self.user.name} was shown no form")
        modal = interaction.modal
        rows = components.numbered(modal["components"])
        resolved = self._resolved(interaction.channel)
        sent = filling.submitted(rows, _accounts({**(fields or {}), **more}), resolved)
        data = {"custom_id": modal["custom_id"], "components": sent}
        interaction.modal = None
        return self._interactions.open(
            MODAL_SUBMIT, self.user, interaction.channel, {**data, **resolved.json()}, interaction.message
        )

    def _type(
        self, kind: int, name: str, channel: Channel | None, values: Mapping[str, Any], focused: str
    ) -> Interaction:
        place = self._place(channel)
        first, *path = name.removeprefix("/").split()
        command = self._command(first, place, SLASH)
        schema = options.subcommand(command, path)
        resolved = self._resolved(place)
        things = _accounts(values)
        if focused and not any(one["name"] == focused and one.get("autocomplete") for one in schema):
            raise LookupError(f"/{name} has no option {focused!r} with suggestions")
        filled = options.fill(schema, things, resolved, focused=focused)
        for depth, part in enumerate(reversed(path)):
            filled = [{"name": part, "type": SUBCOMMAND if depth == 0 else GROUP, "options": filled}]
        data = {**self._head(command), "options": filled, **resolved.json()}
        return self._interactions.open(kind, self.user, place, data)

    def _head(self, command: Command) -> dict[str, Any]:
        head: dict[str, Any] = {"id": str(command.id), "name": command.name, "type": command.kind}
        return {**head, "guild_id": str(command.scope)} if command.scope else head

    def _command(self, name: str, place: Channel, kind: int) -> Command:
        offered = [one for one in self._offered(place) if one.kind == kind]
        found = next((one for one in offered if one.name == name), None)
        if found is None:
            raise LookupError(f"there is no command {name!r} here, only {[one.name for one in offered]}")
        return found

    def _offered(self, place: Channel) -> list[Command]:
        guild = place.guild
        every = [*(self._commands.of(guild.id) if guild else []), *self._commands.of(0)]
        return [one for one in every if _is_offered(one, place, self.user)]

    def _resolved(self, place: Channel) -> options.Resolved:
        return options.Resolved(place.guild, lambda name, data: self._world.keep(place, name, data))

    def _place(self, channel: Channel | None) -> Channel:
        place = channel or self.chat
        if self.user not in place.members:
            raise ValueError(f"{self.user.name} can't see {place.name}")
        return place

    def _check_sees(self, message: Message) -> None:
        self._place(message.channel)
        if message.is_deleted or message.only_for not in {None, self.user}:
            raise LookupError(f"{self.user.name} doesn't see this message")

    def _check_own(self, message: Message) -> None:
        if message.author is not self.user or message.is_deleted:
            raise ValueError("people can change only what they wrote themselves, and only while it is there")


def _account(thing: Any) -> Any:
    """The account of a person; anything else as it is."""
    return thing.user if isinstance(thing, Person) else thing


def _accounts(values: Mapping[str, Any]) -> dict[str, Any]:
    """People by their accounts, also those in lists."""
    return {
        name: [_account(one) for one in value] if isinstance(value, list) else _account(value)
        for name, value in values.items()
    }


def _check_text(text: str, files: Sequence[object]) -> None:
    if not text.strip() and not files:
        raise ValueError("a message holds a text, a file, or both")
    if limits.length(text) > limits.MAX_CONTENT:
        raise ValueError(f"a person can write {limits.MAX_CONTENT} characters")


def _is_offered(command: Command, place: Channel, user: User) -> bool:
    form, guild = command.form, place.guild
    context = 0 if guild else 1
    if form.get("contexts") is not None and context not in form["contexts"]:
        return False
    if guild is None:
        return not command.scope and form.get("dm_permission") is not False
    if not guild.has_bot and 1 not in (form.get("integration_types") or [0]):
        return False
    wanted = form.get("default_member_permissions")
    mine = guild.permissions(user)
    return wanted is None or (
        mine == guild.permissions(guild.people[0]) if str(wanted) == "0" else not int(wanted) & ~mine
    )
