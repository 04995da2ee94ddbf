"""A growing answer: what is frozen stays, and the messages are those of the whole text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext_bots.discord.markdown import Markdown
from halext_bots.shared.flow import Flow
from halext_bots.shared.splitting import Renderer, messages
from halext_bots.telegram.entities import Entities
from tests.bots.strategies import limits, texts


@pytest.mark.parametrize("kind", [Markdown, Entities])
@given(text=texts, limit=limits, steps=st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_frozen_messages_stay(kind: type[Renderer[object]], text: str, limit: int, steps: list[int]) -> None:
    renderer = kind(limit)  # type: ignore[call-arg]  # the classes take one, the protocol does not say so
    flow = Flow(renderer)
    frozen: list[object] = []
    at = 0
    for step in [*steps, len(text)]:
        at += step
        made = flow.update(text[:at])
        assert made == messages(text[:at], renderer)
        assert made[: len(frozen)] == frozen
        assert flow.frozen >= len(frozen)
        frozen = made[: flow.frozen]


WHOLE = """# Title
Text with **words** and more.
## Next

| a | b |
|---|---|
| 1 | 2 |

- item
  1. inner

     ```py
     print(1)
     ```
- last

> quoted
> # T
> words

***
### End
"""


@pytest.mark.parametrize("limit", [80, 200, 2000])
def test_letter_by_letter(limit: int) -> None:
    flow = Flow(Markdown(limit))
    for end in range(len(WHOLE * 3)):
        assert flow.update((WHOLE * 3)[:end]) == messages((WHOLE * 3)[:end], Markdown(limit))


def test_full_messages_freeze_early() -> None:
    flow = Flow(Markdown(200))
    for text in ("A sentence of words. " * 200, "- item\n" * 300, "```py\n" + "x = 1\n" * 300, "a paragraph\n\n" * 200):
        made = flow.update(text)
        assert len(made) > 4
        assert flow.frozen >= len(made) - 6  # a segment of 1,000 characters may still change


def test_another_text_is_another_answer() -> None:
    flow = Flow(Markdown(50))
    assert len(flow.update("one line\n" * 40)) > 4
    assert flow.update("other") == ["other"]
    assert flow.frozen == 0
