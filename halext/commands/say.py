"""Saying something to halext: the one place where commands are allowed, run, and their failures put into words."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

from halext.accounts.types import Caller, Permission, Role
from halext.commands import words
from halext.commands.registry import Registry
from halext.commands.types import Command, File, Reply, Said, Speaker, Text
from halext.errors import HalextError, Internal
from halext.runtime.acting import may
from halext.runtime.app import App
from halext.runtime.units import show_duration

STRANGER = Caller("stranger", Role.GUEST, "house")
"""In whose name commands for everyone run when the speaker is nobody yet; it owns nothing."""
MINUTE_S = 60
_log = logging.getLogger(__name__)


class Talk:
    """What doors say things to. It never raises: whatever goes wrong is an answer that says what to do."""

    def __init__(self, app: App, registry: Registry) -> None:
        self._app = app
        self.registry = registry

    def understand(self, line: str, *, has_files: bool = False) -> tuple[Command, dict[str, str]] | Text:
        """The command in a line without its slash, with its values; or what is wrong with it."""
        try:
            command, rest = self.registry.find(line)
            return command, words.parse(command, rest, has_files=has_files)
        except HalextError as error:
            return failure(error)

    async def line(self, speaker: Speaker, line: str, files: Sequence[File] = ()) -> Reply:
        """Say a command as it was typed, without its slash."""
        understood = self.understand(line, has_files=bool(files))
        return understood if isinstance(understood, Text) else await self.run(speaker, *understood, files)

    async def run(
        self, speaker: Speaker, command: Command, values: Mapping[str, str], files: Sequence[File] = ()
    ) -> Reply:
        """Say a command whose values are known already, as from a form."""
        caller = speaker.caller
        if caller is None and command.permission is not Permission.PUBLIC:
            return Text(how_to_link(self._app, is_private=speaker.is_private), is_error=True, is_quiet=True)
        if caller is not None and not all(may(caller, right) for right in command.rights):
            return Text(f"/{command.name} is for administrators.", is_error=True, is_quiet=True)
        try:
            checked = words.check(command, values, has_files=bool(files))
            said = Said(speaker, caller or STRANGER, checked, tuple(files))
            reply: Reply = await command.run(self._app, said)
        except HalextError as error:
            return failure(error)
        except Exception:  # noqa: BLE001  (a bug in one command must not end the door)
            _log.exception("the command /%s failed", command.name)
            return failure(Internal())
        return reply


def failure(error: HalextError) -> Text:
    """An error as an answer. Messages carry names of nodes and models, so they are quoted like any foreign words."""
    again = f" Try again in {_shown(error.retry_after_s)}." if error.retry_after_s else ""
    return Text(words.plain(error.message) + again, is_error=True, is_quiet=True)


def _shown(wait_s: float) -> str:
    whole = math.ceil(wait_s)
    return f"{whole} s" if whole < MINUTE_S else show_duration(whole)


def how_to_link(app: App, *, is_private: bool = True) -> str:
    """What a stranger is told. Where others read along a code would be void, so it belongs elsewhere."""
    base = app.settings.public_url or app.base_url
    page = f" at {words.plain(base.rstrip('/'))}/account" if base else ""
    where = "send it here as `/link CODE`" if is_private else "send me `/link CODE` in a direct message"
    return f"I don't know you yet. Get a code on your account's page{page}, and {where}."
