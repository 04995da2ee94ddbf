"""Every route, for everybody, with every kind of id, on both databases; `test_said` does the same with commands.

The cells are not written down: they come from the table of routes, the table of operations and the registry of
commands, and what must become of each is computed by `rights.expected` from the declared right and from whose the named
thing is. A refused request must have the right status, must leave every row as it is, must reach no node, and for what
is another's must be the same answer, byte for byte, as for what is not there.

When something is new, this test says what it misses, and it is one line each:

- a route that names something: how to make one, in `kinds.KINDS`; `numbered` for people's things with a number, `named`
  for the house's with a name, `reach=` for the right that makes others' reachable;
- a route with code of its own: its smallest body or form, in `bodies.BODIES`; an operation's is made from its schema,
  with `OVERRIDES` where that is not enough;
- a command's option: what it holds, or what it names, in `commands.WORDS` or `commands.NAMES`;
- a right: whose it is, in `rights.ROLES`; a role or a kind of person: in `cells.subjects` and `house.ROLES`;
- a kind of credential: how it is shown, in `House.headers`, and who has one, in `cells.subjects`;
- something that can be shared: how, as `share=` of its kind; what a request wants of it, in `cells.wants_of`;
- a column or table that may change whatever happens, such as the time of last use: in `house.UNWATCHED`.

A route that refuses everybody stands with its reason in `bodies.CLOSED`. What asks for more
than a right stands in `bodies.KEPT_FROM`. There are no other exceptions.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from halext.storage.engine import Database

from . import walk
from .cells import SCOPE_SETS, cells, entries
from .house import opened
from .rights import Whose

TOGETHER = 8
"""Routes after whose refusals all rows are looked at once: looking takes longer than a request."""


@pytest.mark.timeout(300)  # some four thousand requests
async def test_everybody_gets_what_is_theirs_and_nothing_else(database: Database, tmp_path: Path) -> None:
    wrong: list[str] = []
    routes = entries()
    url = database._url.render_as_string(hide_password=False)
    async with opened(url, tmp_path, SCOPE_SETS) as house:
        await walk.furnish(house, {entry.key for entry in routes if entry.key})
        for at in range(0, len(routes), TOGETHER):
            wrong += await walk.refused(house, routes[at : at + TOGETHER])
        for entry in routes:
            wrong += await walk.done(house, entry)
    assert not wrong, "\n".join([*wrong[:40], f"{len(wrong)} in all"])


def test_the_matrix_is_as_large_as_it_should_be() -> None:
    every = [cell for entry in entries() for cell in cells(entry)]
    assert len(every) > 4_000
    assert {cell.whose for cell in every} == set(Whose)
    assert len({str(cell.subject) for cell in every}) > 20
