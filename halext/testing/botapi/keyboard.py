"""Keyboards under messages, and whether Telegram takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from halext.testing.botapi.forms import Form, bad
from halext.testing.botapi.links import checked_url

MAX_CALLBACK_BYTES = 64
MAX_ROW = 8
MAX_BUTTONS = 100
ACTIONS = frozenset(
    {"callback_data", "url", "web_app", "login_url", "switch_inline_query", "switch_inline_query_current_chat"}
    | {"switch_inline_query_chosen_chat", "copy_text", "pay", "callback_game"}
)
"""What an inline button can do; it does one of them."""
KINDS = ("inline_keyboard", "keyboard", "remove_keyboard", "force_reply")


def read(form: Form, *, only_inline: bool = False) -> dict[str, Any] | None:
    """The keyboard that a call brings, None when it brings none. Refusal for one that Telegram doesn't take."""
    markup = form.mapping("reply_markup")
    kind = next((kind for kind in KINDS if kind in markup), None)
    if kind is None:
        return None
    if kind == "inline_keyboard":
        return _inline(markup)
    if only_inline:
        raise bad("inline keyboard expected")
    if kind == "keyboard":
        _check_rows(markup["keyboard"], "keyboard button")
        for button in _buttons(markup["keyboard"]):
            _label(button, "keyboard button")
    return markup


def _inline(markup: dict[str, Any]) -> dict[str, Any] | None:
    rows = markup["inline_keyboard"]
    _check_rows(rows, "inline keyboard button")
    for button in _buttons(rows):
        _check_button(button)
    kept = [row for row in rows if row]
    return {"inline_keyboard": kept} if kept else None


def _check_rows(rows: Any, what: str) -> None:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad(f"can't parse {what}s: expected an Array of Arrays")
    if sum(len(row) for row in rows) > MAX_BUTTONS:
        raise bad("reply markup is too long")
    if any(len(row) > MAX_ROW for row in rows):
        raise bad("BUTTON_ROW_INVALID: a row holds 8 buttons")


def _buttons(rows: list[list[Any]]) -> Iterator[Any]:
    for row in rows:
        yield from row


def _label(button: Any, what: str) -> str:
    text = button if isinstance(button, str) else isinstance(button, dict) and button.get("text")
    if not isinstance(text, str):
        raise bad(f"can't parse {what}: Can't find field \"text\"")
    if not text.strip():
        raise bad(f"can't parse {what}: text must be non-empty")
    return text


def _check_button(button: Any) -> None:
    what = "inline keyboard button"
    _label(button, what)
    actions = ACTIONS & set(button) if isinstance(button, dict) else set()
    if not actions:
        raise bad(f"can't parse {what}: Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad(f"can't parse {what}: it can do one thing only, not {' and '.join(sorted(actions))}")
    data = button.get("callback_data")
    if data is not None and not 1 <= len(str(data).encode()) <= MAX_CALLBACK_BYTES:
        raise bad("BUTTON_DATA_INVALID")
    url = button.get("url")
    if url is not None and checked_url(str(url)) is None:
        raise bad(f"inline keyboard button URL '{url}' is invalid: wrong HTTP URL")
