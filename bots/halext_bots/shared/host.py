"""What a bot does with what people say: says it to halext, and shows the answer where it was said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace

from halext.accounts.types import Caller
from halext.chat.showings.types import Showing
from halext.chat.types import Turn, TurnId
from halext.commands.say import Talk
from halext.commands.types import Command, File, Live, Painting, Reply, Speaker, Text
from halext.errors import Internal, NotFound
from halext.runtime.app import App
from halext.types import RequestId
from halext_bots.shared import answers, paintings
from halext_bots.shared.stage import Restore, Stage, Undelivered, View

GLANCE_S = 0.25
"""Between two looks at an answer that grows: no platform shows more of it, and each look costs a rendering."""


class Host:
    """One platform's conversation partner. It knows no platform: a `Stage` shows what it has to say."""

    def __init__(self, app: App, talk: Talk, platform: str) -> None:
        self._app = app
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
            self._app.background.spawn(self._run(stage, speaker, command, values, files), f"/{command.name}")
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
                await self._note(showing)
                self._begin(speaker.caller, showing, stage.view())
            case Painting() if speaker.caller is not None:
                work = self._paint(speaker.caller, reply.job, stage.view())
                self._app.background.spawn(work, f"show picture {reply.job}")
            case _:
                raise AssertionError(f"nobody shows {reply!r}")

    async def _note(self, showing: Showing) -> None:
        self._shown.add(showing.turn)
        try:
            await self._showings.note(showing)
        except BaseException:
            self._shown.discard(showing.turn)
            raise

    def _begin(self, caller: Caller, showing: Showing, view: View) -> None:
        self._shown.add(showing.turn)
        self._app.background.spawn(self._show(caller, showing, view), f"show answer {showing.turn}")

    async def _show(self, caller: Caller, showing: Showing, view: View) -> None:
        """Follow an answer to its end. Where it stands is on the record, for a restart."""
        try:
            await self._grow_up(caller, showing, view)
            await view.finished()
            await self._showings.forget(showing.turn)
        except Undelivered:
            pass  # it stays on the record, for the next time
        finally:
            self._shown.discard(showing.turn)

    async def _grow_up(self, caller: Caller, showing: Showing, view: View) -> None:
        try:
            turn = await self._grow(caller, showing, view)
            view.finish(whole(turn), answers.ended_buttons(turn))
        except NotFound:
            view.finish("*This answer was deleted.*", ())

    async def _grow(self, caller: Caller, showing: Showing, view: View) -> Turn:
        blocks, refs = "", showing.refs
        buttons = answers.running_buttons(showing.turn)
        view.show(answers.NOTHING_YET, buttons)
        async with aclosing(self._app.answers.follow(caller, showing.turn)) as events:
            async for event in events:
                if event.turn is not None:
                    return event.turn
                blocks = blocks + event.text if event.kind == "block" else blocks
                rest = event.text if event.kind != "block" else ""
                if text := blocks + rest:
                    view.show(text, buttons)
                if view.refs != refs:
                    refs = view.refs
                    await self._showings.note(replace(showing, refs=refs))
                if event.kind == "tail":
                    await self._app.clock.sleep(GLANCE_S)
        raise Internal  # an answer's log ends with its turn

    async def _paint(self, caller: Caller, number: RequestId, view: View) -> None:
        """Follow a picture to its end."""
        job = self._app.studio.job(caller, number)
        async for job in self._app.studio.follow(caller, number):
            if not job.state.is_end:
                view.show(paintings.progress(job), paintings.stop_button(job))
        view.finish(paintings.ended(job), (), paintings.files(job))
        with suppress(Undelivered):
            await view.finished()


def whole(turn: Turn) -> str:
    """An answer as it stays, with the line below it."""
    return "\n\n".join(part for part in (answers.ended_text(turn), answers.footer(turn)) if part)
