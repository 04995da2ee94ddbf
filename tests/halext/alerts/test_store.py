from __future__ import annotations

import asyncio

from halext.alerts.store import AlertStore
from halext.alerts.types import Fire, IncidentId, NoticeState, Resolve
from halext.storage.scope import Scope
from halext.types import NodeName

MAC = Fire("node-offline", NodeName("mac"), "off", 10.25)


async def fired(store: AlertStore, *notifiers: str) -> IncidentId:
    incident = await store.fire(MAC, notifiers, now=310.5)
    assert incident is not None
    return incident


async def test_an_incident_from_its_beginning_to_its_end(scope: Scope) -> None:
    store = AlertStore(scope)
    number = await fired(store, "a", "b")
    (incident,) = await store.open("node-offline")
    assert (incident.id, incident.node, incident.reason) == (number, "mac", "off")
    assert (incident.started_at, incident.fired_at, incident.resolved_at) == (10.25, 310.5, None)
    assert [(notice.notifier, notice.state, notice.next_at) for notice in incident.notices] == [
        ("a", NoticeState.WAITING, 310.5),
        ("b", NoticeState.WAITING, 310.5),
    ]
    assert await store.open("another-rule") == []
    assert await store.resolve(Resolve(number, "back"), now=400.0)
    assert not await store.resolve(Resolve(number, "removed"), now=500.0)
    assert await store.open("node-offline") == []
    (over,) = await store.latest(10)
    assert (over.resolved_at, over.ending) == (400.0, "back")
    assert await store.latest(10, only_open=True) == []


async def test_one_open_incident_per_node(scope: Scope) -> None:
    store = AlertStore(scope)
    numbers = await asyncio.gather(*[store.fire(MAC, ["a"], now=1.0) for _ in range(4)])
    assert len([number for number in numbers if number is not None]) == 1
    (incident,) = await store.latest(10)
    assert len(incident.notices) == 1
    await store.resolve(Resolve(incident.id, "back"), now=2.0)
    again = await fired(store)
    assert [known.id for known in await store.latest(10)] == [again, incident.id]


async def test_who_is_told_late_is_told_once(scope: Scope) -> None:
    store = AlertStore(scope)
    number = await fired(store, "a")
    await asyncio.gather(*[store.enlist(number, ["a", "b"], now=5.0) for _ in range(3)])
    await store.enlist(number, [], now=5.0)
    (incident,) = await store.latest(1)
    assert [notice.notifier for notice in incident.notices] == ["a", "b"]


async def test_a_claim_is_for_one(scope: Scope) -> None:
    store = AlertStore(scope)
    await fired(store, "a")
    (incident,) = await store.untold(["a"], 10, now=311.0)
    claims = await asyncio.gather(*[store.claim(incident.notices[0], until=371.0) for _ in range(4)])
    assert sorted(claims) == [False, False, False, True]
    assert await store.untold(["a"], 10, now=370.0) == []
    assert await store.untold(["b"], 10, now=371.0) == []
    (again,) = await store.untold(["a"], 10, now=371.0)
    assert again.notices[0].attempts == 1


async def test_what_is_told_and_what_is_left_to_tell(scope: Scope) -> None:
    store = AlertStore(scope)
    number = await fired(store, "a", "b")
    (incident,) = await store.open("node-offline")
    a, b = incident.notices
    await store.told(a, "m1", is_over=False, now=320.0)
    await store.failed(b, "away", ref=None, next_at=330.0)
    assert [known.id for known in await store.untold(["a", "b"], 10, now=329.0)] == []
    await store.resolve(Resolve(number, "back"), now=325.0)
    (known,) = await store.untold(["a"], 10, now=325.0)
    assert [(each.state, each.ref, each.error) for each in known.notices] == [
        ("waiting", "m1", ""),
        ("waiting", None, "away"),
    ]
    await store.told(known.notices[0], "m1", is_over=True, now=326.0)
    await store.give_up(known.notices[1])
    (done,) = await store.latest(1)
    assert [each.state for each in done.notices] == [NoticeState.DONE, NoticeState.GIVEN_UP]


async def test_an_end_and_a_message_at_the_same_moment_leave_the_end_to_tell(scope: Scope) -> None:
    store = AlertStore(scope)
    for _ in range(20):
        number = await fired(store, "a")
        (incident,) = await store.open("node-offline")
        told = store.told(incident.notices[0], "m1", is_over=False, now=400.0)
        await asyncio.gather(store.resolve(Resolve(number, "back"), now=400.0), told)
        (known,) = await store.latest(1)
        assert [notice.state for notice in known.notices] == [NoticeState.WAITING]


async def test_what_nobody_heard_of(scope: Scope) -> None:
    store = AlertStore(scope)
    for at in (100.0, 200.0):
        await store.resolve(Resolve(await fired(store), "back"), now=at)
    await store.resolve(Resolve(await fired(store, "a"), "back"), now=300.0)
    await fired(store)
    assert [known.resolved_at for known in await store.unheard(100.0, 10)] == [200.0, 100.0]
    assert [known.resolved_at for known in await store.unheard(100.5, 10)] == [200.0]
    assert [known.resolved_at for known in await store.unheard(0.0, 1)] == [200.0]


async def test_what_is_over_for_long_is_forgotten_with_all_that_was_told(scope: Scope) -> None:
    store = AlertStore(scope)
    old = await fired(store, "a", "b")
    await store.resolve(Resolve(old, "back"), now=400.0)
    still_open = await fired(store, "a")
    await store.forget(400.0)
    assert len(await store.latest(10)) == 2
    await store.forget(400.5)
    assert [known.id for known in await store.latest(10)] == [still_open]
    assert [known.id for known in await store.untold(["a", "b"], 10, now=9e9)] == [still_open]


async def test_an_end_that_comes_while_the_beginning_is_told(scope: Scope) -> None:
    store = AlertStore(scope)
    number = await fired(store, "a")
    (incident,) = await store.open("node-offline")
    await store.resolve(Resolve(number, "back"), now=400.0)
    await store.told(incident.notices[0], "m" * 300, is_over=False, now=401.0)
    (known,) = await store.untold(["a"], 10, now=401.0)
    assert known.notices[0].ref == "m" * 255
    assert known.notices[0].attempts == 0
