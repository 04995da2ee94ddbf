from __future__ import annotations

from halext.testing.discordapi.refusal import Refusal, invalid, too_long, unknown


def test_a_refused_form_says_where() -> None:
    body = invalid("embeds.0.title", "Too long.").json()
    assert (body["code"], body["message"]) == (50035, "Invalid Form Body")
    assert body["errors"]["embeds"]["0"]["title"]["_errors"] == [
        {"code": "BASE_TYPE_BAD_LENGTH", "message": "Too long."}
    ]
    assert "2000 or fewer" in str(too_long("content", 2000).errors)


def test_what_is_not_there_has_its_own_code() -> None:
    refusal = unknown("interaction")
    assert (refusal.status, refusal.json()) == (404, {"message": "Unknown interaction", "code": 10062})
    assert Refusal(400, 0, "x").retry_s == 0
