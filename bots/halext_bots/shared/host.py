"""What a bot does with what people say: says it to halext, and shows the answer where it was said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace

from halext.accounts.types import Caller
from halext.chat.showings.types import Showing
from halext.chat.types import Turn, TurnId
from halext.commands import words
from halext.commands.say import Talk
from halext.commands.types import Button, Command, File, Live, Painting, Reply, Speaker, Text
from halext.errors import Internal, NotFound
from halext.runtime.app import App
from halext.types import RequestId
from halext_bots.shared import answers, paintings
from halext_bots.shared.lanes import Spawn
from halext_bots.shared.stage import Restore, Stage, View

GLANCE_S = 0.25
"""Between two looks at an answer that grows: no platform shows more of it, and each look costs a rendering."""
NOTE_S = 0.1
"""How soon after a message has arrived it is on record; a crash in between lets it be sent twice."""
AGAIN_S = 60.0
AGAIN_MAX = 60
"""An end that could not be shown is tried again, so often; after that the next start tries."""
_log = logging.getLogger(__name__)


class Host:
    """One platform's conversation partner. It knows no platform: a `Stage` shows what it has to say."""

    def __init__(self, app: App, talk: Talk, platform: str, spawn: Spawn) -> None:
        """`spawn` runs what goes on by itself. One that ends with the connection leaves no half of it behind."""
        self._app = app
        self._spawn = spawn
        self.talk = talk
        self._showings = app.showings(platform)
        self._shown: set[TurnId] = set()
        """Answers that are being shown now: a platform that was away for a moment need not begin again."""
        self._resuming = asyncio.Lock()

    async def line(self, stage: Stage, speaker: Speaker, line: str, files: Sequence[File] = ()) -> None:
        """Somebody typed a command, or pressed a button that says one."""
        understood = self.talk.understand(line, has_files=bool(files))
        if isinstance(understood, Text):
            stage.say(understood)
        else:
            await self.run(stage, speaker, *understood, files)

    async def run(
        self, stage: Stage, speaker: Speaker, command: Command, values: Mapping[str, str], files: Sequence[File] = ()
    ) -> None:
        """Somebody filled in a command, or wrote plain text, which is the question of `ask`.

        Returns when what was said is on the record; what takes seconds goes on by itself.
        """
        if command.is_slow:
            stage.busy()
            self._spawn(self._run(stage, speaker, command, values, files), f"/{command.name}")
        else:
            await self._run(stage, speaker, command, values, files)

    async def _run(
        self, stage: Stage, speaker: Speaker, command: Command, values: Mapping[str, str], files: Sequence[File]
    ) -> None:
        await self._answer(stage, speaker, await self.talk.run(speaker, command, values, files))

    async def ask(self, stage: Stage, speaker: Speaker, text: str, files: Sequence[File] = ()) -> None:
        """Somebody just wrote something."""
        await self.run(stage, speaker, self.talk.registry.get("ask"), {"question": text}, files)

    async def resume(self, restore: Restore) -> None:
        """After a restart or a long break: go on showing what was being shown, up to its end."""
        async with self._resuming:
            shown = set(self._shown)  # one that ends during the look is on the record that we get, and needs no more
            left = [one for one in await self._showings.all() if one.turn not in shown | self._shown]
            for showing in left:
                await self._resume(showing, restore)

    async def _resume(self, showing: Showing, restore: Restore) -> None:
        caller = await self._app.people.caller_of(showing.owner)
        view = restore(showing.chat, showing.refs)
        if caller is None or view is None:
            await self._showings.forget(showing.turn)
        else:
            self._begin(caller, showing, view)

    async def _answer(self, stage: Stage, speaker: Speaker, reply: Reply) -> None:
        match reply:
            case Text():
                stage.say(reply)
            case Live() if speaker.caller is not None and speaker.caller.user_id is not None:
                showing = Showing(reply.turn, speaker.caller.user_id, stage.chat)
                await self._remember(showing)
                self._begin(speaker.caller, showing, stage.view())
            case Painting() if speaker.caller is not None:
                work = self._paint(speaker.caller, reply.job, stage.view())
                self._spawn(work, f"show picture {reply.job}")
            case _:
                raise AssertionError(f"nobody shows {reply!r}")

    async def _remember(self, showing: Showing) -> None:
        self._shown.add(showing.turn)
        try:
            await self._showings.note(showing)
        except BaseException:
            self._shown.discard(showing.turn)
            raise

    def _begin(self, caller: Caller, showing: Showing, view: View) -> None:
        self._shown.add(showing.turn)
        self._spawn(self._show(caller, showing, view), f"show answer {showing.turn}")

    async def _show(self, caller: Caller, showing: Showing, view: View) -> None:
        """Follow an answer to its end. Where it stands is on the record, for a restart."""
        try:
            async with asyncio.TaskGroup() as group:
                is_over = asyncio.Event()
                group.create_task(self._note(showing, view, is_over))
                text, buttons = await self._end(caller, showing, view)
                await view.finish(text, buttons)
                is_shown = await self._insist(view, text, buttons)
                is_over.set()
            if is_shown:
                await self._forget(showing.turn)
        finally:
            self._shown.discard(showing.turn)

    async def _forget(self, turn: TurnId) -> None:
        try:
            await self._showings.forget(turn)
        except asyncio.CancelledError:  # the connection ends; the next one would show it once more
            await self._showings.forget(turn)
            raise

    async def _note(self, showing: Showing, view: View, is_over: asyncio.Event) -> None:
        """Write down which messages carry the answer as soon as they stand there, so that none is sent twice."""
        try:
            while not is_over.is_set():
                if view.refs != showing.refs:
                    showing = await self._noted(showing, view)
                with suppress(TimeoutError):
                    async with asyncio.timeout(NOTE_S):
                        await is_over.wait()
        except asyncio.CancelledError:  # the connection ends
            if view.refs != showing.refs:
                await self._noted(showing, view)
            raise
        except Exception:  # noqa: BLE001  (the answer itself goes on)
            _log.exception("where answer %s stands can't be written down", showing.turn)

    async def _noted(self, showing: Showing, view: View) -> Showing:
        now = replace(showing, refs=view.refs)
        await self._showings.note(now)
        return now

    async def _insist(self, view: View, text: str, buttons: Sequence[Button]) -> bool:
        """Wait until the end of an answer is there, over a platform's bad hours; False if they last too long."""
        for _ in range(AGAIN_MAX):
            if await view.finished():
                return True
            await self._app.clock.sleep(AGAIN_S)
            await view.finish(text, buttons)
        return False

    async def _end(self, caller: Caller, showing: Showing, view: View) -> tuple[str, Sequence[Button]]:
        try:
            turn = await self._grow(caller, showing, view)
        except NotFound:
            return "*This answer was deleted.*", ()
        except Exception:  # noqa: BLE001  (whoever waits is told that there is no end)
            _log.exception("answer %s can't be followed", showing.turn)
            return words.plain(Internal().message), ()
        return whole(turn), answers.ended_buttons(turn)

    async def _grow(self, caller: Caller, showing: Showing, view: View) -> Turn:
        blocks = ""
        buttons = answers.running_buttons(showing.turn)
        if not showing.refs:
            await view.show(answers.NOTHING_YET, buttons)
        async with aclosing(self._app.answers.follow(caller, showing.turn)) as events:
            async for event in events:
                if event.turn is not None:
                    return event.turn
                blocks = blocks + event.text if event.kind == "block" else blocks
                rest = event.text if event.kind != "block" else ""
                if text := blocks + rest:
                    await view.show(text, buttons)
                if event.kind == "tail":
                    await self._app.clock.sleep(GLANCE_S)
        raise Internal  # an answer's log ends with its turn

    async def _paint(self, caller: Caller, number: RequestId, view: View) -> None:
        """Follow a picture to its end."""
        job = self._app.studio.job(caller, number)
        async for job in self._app.studio.follow(caller, number):
            if not job.state.is_end:
                await view.show(paintings.progress(job), paintings.stop_button(job))
        await view.finish(paintings.ended(job), (), paintings.files(job))
        await view.finished()


def whole(turn: Turn) -> str:
    """An answer as it stays, with the line below it."""
    return "\n\n".join(part for part in (answers.ended_text(turn), answers.footer(turn)) if part)
