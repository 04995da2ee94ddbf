"""Walking through the matrix: first everything that must be refused, and then what must be done."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

from .cells import Cell, Entry, cells, target
from .house import GROUPS, HOST, RESIDENTS, Answer, House
from .kinds import FIELD, KINDS
from .rights import HIDDEN, SHARED, Outcome, Subject, Whose


def owner(subject: Subject, whose: Whose) -> str:
    """Whose thing is named. Who owns nothing, or is nobody, names Mia's; what is shared is the host's."""
    if whose in SHARED:
        return f"{HOST} in {GROUPS[whose]}"
    if whose is Whose.OTHERS:
        return "Sam" if subject.name == "Mia" else "Mia"
    return subject.name if subject.name in RESIDENTS else "Mia"


async def ids_for(house: House, cell: Cell, *, fresh: bool) -> Mapping[str, str]:
    """The id that a request names; things are made once for each person, unless they must be `fresh`."""
    entry, kind = cell.entry, cell.entry.kind
    if kind is None or entry.key is None:
        return {}
    if cell.whose is Whose.MISSING:
        return kind.missing
    if cell.whose is Whose.MALFORMED:
        fields = list(kind.missing) or FIELD.findall(entry.path)
        return {name: cell.malformed if name == fields[-1] else kind.missing[name] for name in fields}
    person = owner(cell.subject, cell.whose)
    return await thing(house, entry.key, person, fresh=fresh)


async def thing(house: House, key: str, owner: str, *, fresh: bool) -> Mapping[str, str]:
    """A thing of this kind and owner."""
    kind = KINDS[key]
    person, _, workspace = owner.partition(" in ")
    place = (key, owner if kind.is_owned else "")
    if fresh or place not in house.things:
        house.things[place] = await kind.make(house, person)
        if workspace:
            assert kind.share is not None
            await kind.share(house, house.things[place], workspace)
    return house.things[place]


async def asked(house: House, cell: Cell, *, fresh: bool = False) -> Answer:
    """Make the request of a cell."""
    ids = dict(await ids_for(house, cell, fresh=fresh))
    entry = cell.entry
    body, content_type = entry.body.made(house, ids)
    where = target(entry.path, ids)
    if entry.method == "GET":
        return await house.ask(cell.subject, "GET", where)
    return await house.ask(cell.subject, entry.method, where, b"" if entry.method == "DELETE" else body, content_type)


async def furnish(house: House, keys: Collection[str]) -> None:
    """Make one thing of each kind for everybody, so that nothing is made while refusals are watched."""
    for key in sorted(keys):
        shared = [f"{HOST} in {workspace}" for workspace in GROUPS.values()] if KINDS[key].share else []
        for owned in [*RESIDENTS, *shared]:
            await thing(house, key, owned, fresh=False)
    house.rows = await house.digest()


async def refused(house: House, entries: Sequence[Entry]) -> list[str]:
    """What is wrong with the refusals of these routes: a status, a difference, a changed row, a request to a node."""
    rows, requests = house.rows, house.node_requests
    wrong = [line for entry in entries for line in await refused_by(house, entry)]
    after = house.rows = await house.digest()
    names = ", ".join(entry.name for entry in entries)
    wrong += [f"{names}: a refused request changed {table}" for table in rows if rows[table] != after[table]]
    if house.node_requests != requests:
        wrong.append(f"{names}: a refused request reached a node")
    return wrong


async def refused_by(house: House, entry: Entry) -> list[str]:
    """What is wrong with the answers of one route."""
    answers = [(cell, await asked(house, cell)) for cell in cells(entry) if cell.expected.is_refusal]
    wrong = [complaint(cell, answer) for cell, answer in answers]
    told = [(str(cell), cell.subject, cell.whose, await without_name(house, cell, answer)) for cell, answer in answers]
    return [line for line in [*wrong, *differences(told)] if line]


async def without_name(house: House, cell: Cell, answer: Answer) -> object:
    """An answer without the name that the request said, which it may say again."""
    status, headers, body = answer.bare
    for name in (await ids_for(house, cell, fresh=False)).values():
        if not name.isdecimal():  # whole, since `task-1` also begins `task-12`
            body = re.sub(rb"(?<![\w-])%b(?![\w-])" % re.escape(name.encode()), b"", body)
    return status, headers, body


def differences(answers: Sequence[tuple[str, Subject, Whose, Any]]) -> list[str]:
    """Where somebody could tell what is another's from what is not there."""
    mine = [answer for answer in answers if answer[2] in HIDDEN and answer[1].rights is not None]
    key: Callable[[Any], str] = lambda answer: str(answer[1])  # noqa: E731
    wrong = []
    for _, group in groupby(sorted(mine, key=key), key=key):
        pair = list(group)
        wrong += [f"{name}: {told_apart(pair[0][3], bare)}" for name, _, _, bare in pair[1:] if bare != pair[0][3]]
    return wrong


def told_apart(one: object, other: object) -> str:
    """The first difference, and a little around it."""
    texts = repr(one), repr(other)
    at = next((at for at, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), 0)
    return " and ".join(f"…{text[max(0, at - 60) : at + 60]}…" for text in texts) + " can be told apart"


async def done(house: House, entry: Entry) -> list[str]:
    """What is wrong with the requests of one route that must be done."""
    wanted = [cell for cell in cells(entry) if not cell.expected.is_refusal]
    return [line for cell in wanted if (line := complaint(cell, await asked(house, cell, fresh=not entry.is_safe)))]


def complaint(cell: Cell, answer: Answer) -> str:
    """What is wrong with one answer; empty for nothing."""
    outcome: Outcome = cell.expected
    if answer.status in outcome.value:
        return ""
    return f"{cell}: expected {outcome.name.lower()}, got {answer.status} {answer.body[:200]!r}"
