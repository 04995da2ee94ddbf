from __future__ import annotations

import json

from halext.errors import InvalidInput
from halext.runtime.shapes import CreateToken, Done, NewToken, RevokeToken, TokenRow
from tests.halext.cli.conftest import FakeControl, Run

ROW = TokenRow(
    id=7,
    owner="ada",
    name="nb",
    hint="hx_abcde",
    created_at=0.0,
    expires_at=86_400.0 * 365,
    last_used_at=None,
    scopes=["own", "use"],
)
FOREVER = TokenRow(id=8, owner="bob", name="ci", hint="hx_fghij", created_at=0.0, expires_at=None, last_used_at=0.0)


def test_the_token_alone_goes_to_stdout(control: FakeControl, run: Run) -> None:
    control.answers["create_token"] = NewToken(token="hx_once", info=ROW)
    result = run("token", "create", "nb", "--user", "ada", "--expires", "30d")
    assert (result.code, result.out) == (0, "hx_once\n")
    assert "Copy it now: it is ada's key to halext" in result.err
    assert "It ends at 197" in result.err
    assert control.calls == [("create_token", CreateToken(name="nb", user="ada", expires_in_s=30 * 86_400.0))]


def test_a_token_for_ever_has_no_end(control: FakeControl, run: Run) -> None:
    control.answers["create_token"] = NewToken(token="hx_once", info=FOREVER)
    assert "It ends" not in run("token", "create", "ci").err
    assert control.calls == [("create_token", CreateToken(name="ci"))]


def test_a_token_with_rights_of_ones_choice(control: FakeControl, run: Run) -> None:
    control.answers["create_token"] = NewToken(token="hx_once", info=FOREVER)
    assert run("token", "create", "ci", "--scope", "use", "--scope", "manage-nodes").code == 0
    assert control.calls == [("create_token", CreateToken(name="ci", scopes=["use", "manage-nodes"]))]


def test_a_token_as_json(control: FakeControl, run: Run) -> None:
    control.answers["create_token"] = NewToken(token="hx_once", info=ROW)
    told = json.loads(run("token", "create", "nb", "--json").out)
    assert (told["token"], told["info"]["id"]) == ("hx_once", 7)


def test_input_that_halext_refuses_is_wrong_use(control: FakeControl, run: Run) -> None:
    control.answers["create_token"] = InvalidInput("Say whose token it is to be.")
    result = run("token", "create", "nb")
    assert (result.code, result.out, result.err) == (2, "", "halext: Say whose token it is to be.\n")


def test_list_never_shows_a_token(control: FakeControl, run: Run) -> None:
    control.answers["list_tokens"] = [ROW, FOREVER]
    _, first, second = run("token", "list").out.splitlines()
    assert first.split()[:4] == ["7", "ada", "nb", "hx_abcde"]
    assert first.split()[4:6] == ["own,", "use"]
    assert first.split()[-1] == "-"
    assert second.split()[:4] == ["8", "bob", "ci", "hx_fghij"]
    assert second.split()[4] == "all"


def test_list_as_json_and_empty(control: FakeControl, run: Run) -> None:
    control.answers["list_tokens"] = []
    assert json.loads(run("token", "list", "--json").out) == []
    assert "halext token create" in run("token", "list").err


def test_revoke(control: FakeControl, run: Run) -> None:
    control.answers["revoke_token"] = Done("The token has ended.")
    assert run("token", "revoke", "7").out == "The token has ended.\n"
    assert control.calls == [("revoke_token", RevokeToken(id=7))]


def test_an_id_is_a_number(control: FakeControl, run: Run) -> None:
    assert run("token", "revoke", "nb").code == 2
    assert control.calls == []
