"""Plans: what is asked about an item, and what tells two plans apart."""

from __future__ import annotations

from typing import Any

import pytest

from halext.client.asking import Options
from halext.client.plan import Plan, plan_of, refuse_other
from halext.errors import Conflict, InvalidInput
from halext.messages import Message

SCHEMA = {"type": "object"}


def made(template: str = "Classify: {}", **said: Any) -> Plan:
    given: dict[str, Any] = {"model": "m", "system": "", "node": None, "schema": None, "options": {}}
    return plan_of(template, **{**given, **said})


@pytest.mark.parametrize(
    ("template", "item", "prompt"),
    [
        ("Classify: {}", "good", "Classify: good"),
        ("Say {0}, {0}", 3, "Say 3, 3"),
        ("{title} by {author}", {"title": "Emma", "author": "Austen"}, "Emma by Austen"),
        ("{}", "{braces} stay", "{braces} stay"),
        ('{{"a": {}}}', 1, '{"a": 1}'),
    ],
)
def test_the_item_has_its_place(template: str, item: Any, prompt: str) -> None:
    assert made(template).prompt(item, 0) == prompt


@pytest.mark.parametrize("template", ["{title}", "{} and {}", '{"a": {}}', "{:d}", "{", "{.nothing}"])
def test_a_template_that_does_not_go_with_an_item(template: str) -> None:
    with pytest.raises(InvalidInput, match="item 41"):
        made(template).prompt("secret text", 41)


def test_a_prompt_without_a_place_is_a_mistake() -> None:
    with pytest.raises(InvalidInput, match="no place"):
        made("Classify")


def test_schema_and_format_are_one_thing() -> None:
    with pytest.raises(InvalidInput, match="format"):
        made(schema=SCHEMA, options=Options(format="json"))
    assert made(schema=SCHEMA).request("x").format == SCHEMA
    assert made(options=Options(format="json")).request("x").format == "json"


def test_options_that_there_are_not() -> None:
    with pytest.raises(TypeError, match="did you mean 'temperature'"):
        made(options={"temprature": 1})


def test_the_request() -> None:
    request = made(system="Be brief.", options=Options(seed=7)).request("hi")
    assert request.messages == (Message("system", "Be brief."), Message("user", "hi"))
    assert request.sampling.seed == 7


def test_a_repair_shows_the_answer_and_what_is_wrong() -> None:
    *_, asked, answered, told = made(schema=SCHEMA).repair("hi", "so?", "it is no JSON").messages
    assert (asked.content, answered.role, answered.content) == ("hi", "assistant", "so?")
    assert "it is no JSON" in told.content


@pytest.mark.parametrize(
    "other",
    [
        {"model": "n"},
        {"system": "Be."},
        {"schema": SCHEMA},
        {"options": Options(seed=1)},
        {"options": Options(think=True)},
    ],
)
def test_a_key_stands_for_all_that_an_answer_depends_on(other: dict[str, Any]) -> None:
    assert made().key("hi", "d1") == made(node="mac").key("hi", "d1")
    assert made().key("hi", "d1") != made(**other).key("hi", "d1")
    assert made().key("hi", "d1") != made().key("ho", "d1")
    assert made().key("hi", "d1") != made().key("hi", "d2")


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"model": "n"}, r"another model \(m, now n\)"),
        ({"template": "Tell: {}"}, "another prompt"),
        ({"system": "Be."}, "another system prompt"),
        ({"schema": SCHEMA}, "another schema"),
        ({"options": Options(seed=1)}, "other options"),
        ({"options": Options(images=[b"png"])}, "other options"),
        ({"options": Options(format="json")}, "other options"),
    ],
)
def test_it_is_said_what_differs(other: dict[str, Any], word: str) -> None:
    kept, now = made().traits(), made(**other).traits()
    with pytest.raises(Conflict, match=word) as caught:
        refuse_other("labels", "/place", kept, now)
    assert "Classify" not in str(caught.value)
    assert "Classify" not in str(kept)


def test_the_same_plan_and_a_new_job_are_fine() -> None:
    refuse_other("labels", "/place", made().traits(), made(node="mac").traits())
    refuse_other("labels", "/place", {}, made().traits())
