"""Requests made at random, out of what every dialect can say; each test adds what only its own can."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from halext.messages import Sampling

texts = st.text(max_size=8)
leaves = st.none() | st.booleans() | st.integers() | texts
objects = st.dictionaries(texts, leaves | st.lists(leaves, max_size=3) | st.dictionaries(texts, leaves), max_size=3)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
integers = st.none() | st.integers()


def samplings(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[Sampling]:
    return st.builds(
        Sampling,
        temperature=numbers,
        top_p=numbers,
        top_k=integers,
        min_p=numbers,
        seed=integers,
        max_tokens=integers,
        stop=st.lists(texts, max_size=3).map(tuple),
        presence_penalty=numbers,
        frequency_penalty=numbers,
        repeat_penalty=numbers,
        **more,
    )
