"""The methods that answer what people pressed or typed behind the bot's name."""

from __future__ import annotations

from typing import Any

from halext.testing.botapi import keyboard, rich
from halext.testing.botapi.compose import Method, read_caption, read_text
from halext.testing.botapi.forms import Form, bad
from halext.testing.botapi.text import utf16
from halext.testing.botapi.world import World

ANSWER_S = 15.0
"""How long a pressed button or an inline query waits for its answer."""
MAX_ANSWER = 200
MAX_RESULTS = 50
MAX_ID_BYTES = 64
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


def _answer_callback_query(world: World, form: Form) -> bool:
    press = world.presses.get(form.text("callback_query_id"))
    if press is None or press.answer is not None or world.clock.monotonic() - press.at > ANSWER_S:
        raise bad(TOO_OLD)
    text = form.text("text")
    if utf16(text) > MAX_ANSWER:
        raise bad("MESSAGE_TOO_LONG")
    press.answer = {"text": text, "show_alert": form.truth("show_alert"), "url": form.text("url")}
    world.changed()
    return True


def _answer_inline_query(world: World, form: Form) -> bool:
    query = world.inline_queries.get(form.text("inline_query_id"))
    if query is None or query.results is not None or world.clock.monotonic() - query.at > ANSWER_S:
        raise bad(TOO_OLD)
    results = form.items("results")
    if len(results) > MAX_RESULTS:
        raise bad("RESULTS_TOO_MUCH")
    ids = [str(result.get("id", "")) for result in results]
    if not all(1 <= len(one.encode()) <= MAX_ID_BYTES for one in ids):
        raise bad("RESULT_ID_INVALID")
    if len(set(ids)) < len(ids):
        raise bad("RESULT_ID_DUPLICATE")
    query.results = [{**result, **_message_of(world, result)} for result in results]
    world.changed()
    return True


def _message_of(world: World, result: dict[str, Any]) -> dict[str, Any]:
    """What the result will send, checked now as Telegram does it: `content` and `markup`."""
    if not result.get("type"):
        raise bad("can't parse inline query result: Can't find field \"type\"")
    markup = keyboard.read(Form(result), only_inline=True)
    given = result.get("input_message_content") or {}
    if "message_text" in given:
        values = {**given, "text": given["message_text"]}
        text = read_text(world, Form(values))
        return {"content": {"text": text.text, "entities": list(text.entities)}, "markup": markup}
    if "rich_message" in given:
        return {"content": {"rich_message": rich.read(given["rich_message"])}, "markup": markup}
    if result["type"] == "article":
        raise bad("can't parse inline query result: an article needs input_message_content")
    caption = read_caption(world, Form(result))
    content = {result["type"]: [], "caption": caption.text, "caption_entities": list(caption.entities)}
    return {"content": content, "markup": markup}


METHODS: dict[str, Method] = {
    "answerCallbackQuery": _answer_callback_query,
    "answerInlineQuery": _answer_inline_query,
}
"""By name."""
