from __future__ import annotations

from halext.accounts.store import PeopleStore
from halext.accounts.types import Role
from halext.chat.openings.store import OpeningStore
from halext.chat.store import ChatStore
from halext.chat.types import Question
from halext.storage.scope import Scope


async def test_what_one_person_has_open(scope: Scope) -> None:
    ann, bob = [await PeopleStore(scope).add(name, Role.MEMBER, None, 0.0) for name in ("Ann", "Bob")]
    first, second = [(await ChatStore(scope, ann.id).ask(None, Question(f"{n}?"), 1.0)).conversation for n in (1, 2)]
    hers, his = OpeningStore(scope, ann.id), OpeningStore(scope, bob.id)
    assert await hers.at("here") is None
    await hers.open("here", first.id)
    await hers.open("here", second.id)
    assert (await hers.at("here"), await his.at("here"), await hers.at("there")) == (second.id, None, None)
    await hers.want_model("here", "m")
    await hers.leave("here")
    assert (await hers.at("here"), await hers.model("here"), await his.model("here")) == (None, "m", "")
    await hers.open("here", first.id)
    await ChatStore(scope, ann.id).forget(first.id)
    assert await hers.at("here") is None
