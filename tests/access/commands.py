"""The part of the matrix that is said in chats."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from halext.commands.load import load
from halext.commands.types import Command, Live, Option, Reply, Speaker, Text

from .house import MODEL, House
from .kinds import KINDS, Ids, Kind
from .rights import ROLES, SHARED, Demand, Outcome, Subject, Wants, Whose, expected
from .walk import differences, owner, thing

SPEAKERS = [
    Subject("nobody", "chat", None),
    Subject("Dora", "chat", None),
    Subject("Gus", "chat", ROLES["guest"]),
    Subject("Mia", "chat", ROLES["member"]),
    Subject("Sam", "chat", ROLES["member"]),
    Subject("Ada", "chat", ROLES["admin"]),
]

NAMES = {
    "task number": "/hx/tasks/{id}",
    "chat number": "/hx/conversations/{id}",
    "node name": "/hx/nodes/{name}",
    "answer": "/hx/answers/{id}",
    "job": "/hx/images/{id}",
}
"""Option, or first word of the command and option → what it names, a key of `kinds.KINDS`."""

READS = {"why", "chat open"}
"""Commands that only look at what they name; no command deletes or shares."""

Words = str | Callable[[House], Awaitable[str]]


async def _code(house: House) -> str:
    return (await house.app.links.code(house.callers["Sam"])).text


WORDS: dict[str, Words] = {
    "question": "Why is the sky blue?",
    "prompt": "a lighthouse",
    "title": "Water the plants",
    "text": "Water the plants",
    "code": _code,
    "model name": MODEL,
    "quota name": "Mia",
}
"""Option, or first word of the command and option → what is said for it."""
FREE = {"model", "negative", "size", "steps", "seed", "count", "priority", "for"}
"""Options that name nothing of anybody's and may be left out."""


async def _link_again(house: House, speaker: Speaker) -> None:
    assert speaker.caller is not None
    await house.app.links.claim(speaker.account, (await house.app.links.code(speaker.caller)).text)


FIRST: dict[str, Callable[[House, Speaker], Awaitable[None]]] = {"unlink": _link_again}
"""Command → what must be so before it can be done."""


@dataclass(frozen=True)
class Saying:
    """One command, and what it names."""

    command: Command
    words: Mapping[str, Words]
    option: str = ""
    """The option that names something."""
    key: str | None = None

    @property
    def kind(self) -> Kind | None:
        return KINDS[self.key] if self.key else None


def entries() -> list[Saying]:
    """Every command. Raises `LookupError` for an option that nobody described."""
    return [saying(command) for command in load().all()]


def saying(command: Command) -> Saying:
    """A command with words for its options."""
    words: dict[str, Words] = {}
    option, key = "", None
    for each in command.options:
        found = _named(command, each)
        if found is not None:
            option, key = each.name, found
        elif (said := _either(WORDS, command, each)) is not None:
            words[each.name] = said
        elif each.required or each.name not in FREE:
            raise LookupError(f"say in tests/access/commands.py what /{command.name} is told for {each.name!r}")
    return Saying(command, words, option, key)


def _named(command: Command, option: Option) -> str | None:
    return NAMES.get(f"{command.name.split()[0]} {option.name}") or NAMES.get(option.name)


def _either(words: Mapping[str, Words], command: Command, option: Option) -> Words | None:
    return words.get(f"{command.name.split()[0]} {option.name}") or words.get(option.name)


Case = tuple[Subject, Whose, str]


def cases(entry: Saying) -> Iterator[Case]:
    """Everybody, with every kind of id."""
    kind = entry.kind
    for subject in SPEAKERS:
        if kind is None:
            yield subject, Whose.NOTHING, ""
            continue
        there = [Whose.OWN, Whose.OTHERS] if kind.is_owned else [Whose.HOUSE]
        for whose in [*there, *(SHARED if kind.share else ())]:
            yield subject, whose, ""
        yield subject, Whose.MISSING, ""
        for malformed in kind.malformed:
            yield subject, Whose.MALFORMED, malformed


def outcome(entry: Saying, case: Case) -> Outcome:
    """What must become of it; chats have no way round for anybody."""
    subject, whose, _ = case
    wants = Wants.READ if entry.command.name in READS else Wants.WRITE
    return expected(subject, Demand([right.value for right in entry.command.rights], wants=wants), whose)


async def said(house: House, entry: Saying, case: Case, *, fresh: bool) -> Reply:
    """Say it, and wait until what it has begun is over."""
    subject, whose, malformed = case
    values = {name: word if isinstance(word, str) else await word(house) for name, word in entry.words.items()}
    if entry.kind is not None and entry.key is not None:
        values[entry.option] = malformed or await _id(house, entry, subject, whose, fresh=fresh)
    speaker = house.speakers[subject.name]
    if fresh and speaker.caller is not None and entry.command.name in FIRST:
        await FIRST[entry.command.name](house, speaker)
    reply = await house.talk.run(speaker, entry.command, values)
    if isinstance(reply, Live) and speaker.caller is not None:
        await house.ended(speaker.caller, reply.turn)
    return reply


async def _id(house: House, entry: Saying, subject: Subject, whose: Whose, *, fresh: bool) -> str:
    assert entry.key is not None
    assert entry.kind is not None
    ids: Ids = entry.kind.missing
    if whose is not Whose.MISSING:
        ids = await thing(house, entry.key, owner(subject, whose), fresh=fresh)
    return list(ids.values())[-1]


async def refused(house: House, entry: Saying) -> list[str]:
    """What is wrong with the refusals of one command."""
    wanted = [case for case in cases(entry) if outcome(entry, case).is_refusal]
    rows, requests = house.rows, house.node_requests
    replies = [(case, await said(house, entry, case, fresh=False)) for case in wanted]
    wrong = [complaint(entry, case, reply) for case, reply in replies]
    wrong += differences([(f"/{entry.command.name}", case[0], case[1], reply) for case, reply in replies])
    house.rows = await house.digest()
    if (rows, requests) != (house.rows, house.node_requests):
        wrong.append(f"/{entry.command.name}: something that was refused changed a row or reached a node")
    return [line for line in wrong if line]


async def done(house: House, entry: Saying) -> list[str]:
    """What is wrong with what must be done."""
    wanted = [case for case in cases(entry) if not outcome(entry, case).is_refusal]
    return [line for case in wanted if (line := complaint(entry, case, await said(house, entry, case, fresh=True)))]


HINTS = {Outcome.UNKNOWN: "know you yet", Outcome.FORBIDDEN: "is for administrators"}


def complaint(entry: Saying, case: Case, reply: Reply) -> str:
    """What is wrong with one reply; empty for nothing."""
    ruled = outcome(entry, case)
    is_error = isinstance(reply, Text) and reply.is_error
    words = reply.markdown.replace("\\", "") if isinstance(reply, Text) else ""
    is_viewer = ruled is Outcome.FORBIDDEN and case[1] in SHARED
    hint = "shared with you as a viewer" if is_viewer else HINTS.get(ruled, "")
    if is_error == ruled.is_refusal and hint in words:
        return ""
    return f"/{entry.command.name}, {case[0]}, {case[1]} {case[2][:30]}: expected {ruled.name.lower()}, got {reply!r}"
