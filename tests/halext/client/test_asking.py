"""From words to a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast, get_type_hints

import pytest

from halext.client.asking import Options, chat_request, opening, question, texts_of
from halext.errors import InvalidInput
from halext.messages import ChatRequest, Message, Sampling


def request(**options: Any) -> ChatRequest:
    return chat_request("m", [Message("user", "hi")], cast("Options", options))


def test_options_find_their_places() -> None:
    found = request(seed=1, temperature=0.2, stop=["a", "b"], max_tokens=5, think="low", format="json")
    assert found.sampling == Sampling(seed=1, temperature=0.2, stop=("a", "b"), max_tokens=5)
    assert (found.think, found.format) == ("low", "json")
    assert request() == ChatRequest(found.model, (Message("user", "hi"),))


def test_one_stop_word_is_no_list_of_letters() -> None:
    assert request(stop="END").sampling.stop == ("END",)


def test_every_way_to_sample_is_an_option() -> None:
    assert set(get_type_hints(Sampling)) <= set(Options.__annotations__)


@pytest.mark.parametrize(("name", "hint"), [("temprature", "; did you mean 'temperature'?"), ("qqq", "")])
def test_an_option_that_there_is_not(name: str, hint: str) -> None:
    with pytest.raises(TypeError) as caught:
        request(**{name: 1})
    assert str(caught.value) == f"there is no option {name!r}{hint}"


def test_pictures_are_bytes_or_files(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"\x89PNG")
    assert question("what?", {"images": [b"\x89PNG", file]}).images == ("iVBORw==", "iVBORw==")


def test_a_conversation_begins_with_its_system_prompt() -> None:
    assert opening("") == ()
    assert opening("Be brief.") == (Message("system", "Be brief."),)


def test_texts() -> None:
    assert texts_of("one") == ["one"]
    assert texts_of(text for text in ("a", "b")) == ["a", "b"]
    with pytest.raises(InvalidInput, match="Item 1 is of the type float"):
        texts_of(["a", float("nan")])  # type: ignore[list-item]  # the mistake is the test
