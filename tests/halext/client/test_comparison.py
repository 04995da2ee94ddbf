"""Several models, one question: answers and failures side by side."""

from __future__ import annotations

import asyncio

import pytest

from halext.client.comparison import Comparison
from halext.client.reply import Reply
from halext.client.sync import Client
from halext.errors import AllBusy, InvalidInput
from halext.messages import ChatChunk

MODEL = "llama3.2:3b"


def made() -> Comparison:
    reply = Reply()
    reply.take(ChatChunk(text="<b>one</b>\ntwo"))
    return Comparison({"a:1b": reply, "<i>": AllBusy("All are busy.")})


def test_a_column_for_each_and_nothing_of_a_model_is_live() -> None:
    shown = made()._repr_mimebundle_()
    assert shown["text/plain"] == "a:1b ()\n<b>one</b>\ntwo\n\n<i> (failed: all_busy)\nAll are busy."
    assert "<th>a:1b</th><th>&lt;i&gt;</th>" in shown["text/html"]
    assert "<td>&lt;b&gt;one&lt;/b&gt;<br>two</td><td>All are busy.</td>" in shown["text/html"]
    assert repr(made()) == "<Comparison of a:1b, <i>: 1 failed>"


def test_it_is_a_mapping_and_a_frame() -> None:
    assert list(made()) == ["a:1b", "<i>"]
    assert len(made()) == 2
    assert set(made().failures) == {"<i>"}
    assert list(made().df["error"].fillna("")) == ["", "all_busy"]


async def test_models_are_asked_at_once_and_one_that_is_not_there_has_its_error(hx: Client) -> None:
    found = await asyncio.to_thread(lambda: hx.compare("hi", models=[MODEL, "gpt-9"], seed=1))
    reply = found[MODEL]
    assert isinstance(reply, Reply)
    assert (reply.text, reply.outcome) == ("Hello there", "done")
    assert {model: error.code for model, error in found.failures.items()} == {"gpt-9": "unknown_model"}
    awaited = await hx.aio.compare("hi", models=[MODEL])
    assert awaited.failures == {}


@pytest.mark.parametrize("models", ["llama3", []])
def test_models_are_a_list(models: list[str]) -> None:
    with pytest.raises(InvalidInput, match="list"):
        Client("http://127.0.0.1:9").compare("hi", models=models)
