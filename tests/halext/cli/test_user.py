from __future__ import annotations

import json

import pytest

from halext.errors import AlreadyExists
from halext.runtime.shapes import AddUser, SetDisabled, SetPassword, SetRole, UserInfo
from tests.halext.cli.conftest import FakeControl, Run

ADA = UserInfo(name="ada", role="admin", disabled=False, created_at=0.0)
BOB = UserInfo(name="bob", role="member", disabled=True, created_at=0.0)


def test_add_takes_the_password_from_a_pipe(control: FakeControl, run: Run) -> None:
    control.answers["add_user"] = ADA
    result = run("user", "add", "ada", "--role", "admin", stdin="correct horse\n")
    assert (result.code, result.out) == (0, "ada is here, as admin.\n")
    assert control.calls == [("add_user", AddUser(name="ada", role="admin", password="correct horse"))]
    assert "horse" not in result.out + result.err


def test_add_without_a_password(control: FakeControl, run: Run) -> None:
    control.answers["add_user"] = BOB
    assert run("user", "add", "bob", "--no-password", stdin="not read\n").code == 0
    assert control.calls == [("add_user", AddUser(name="bob", role="member", password=None))]


def test_add_needs_a_password_or_a_word(control: FakeControl, run: Run) -> None:
    result = run("user", "add", "ada")
    assert result.code == 2
    assert "Password for ada is empty" in result.err
    assert control.calls == []


def test_add_someone_who_is_here_fails(control: FakeControl, run: Run) -> None:
    control.answers["add_user"] = AlreadyExists()
    assert run("user", "add", "ada", "--no-password").code == 1


def test_an_unknown_role_is_wrong_use(control: FakeControl, run: Run) -> None:
    result = run("user", "role", "ada", "queen")
    assert result.code == 2
    assert "'queen' is not one of" in result.err


def test_list(control: FakeControl, run: Run) -> None:
    control.answers["list_users"] = [ADA, BOB]
    _, ada, bob = run("user", "list").out.splitlines()
    assert ada.split()[:3] == ["ada", "admin", "yes"]
    assert bob.split()[:3] == ["bob", "member", "no"]


def test_list_as_json(control: FakeControl, run: Run) -> None:
    control.answers["list_users"] = [BOB]
    assert json.loads(run("user", "list", "--json").out) == [
        {"name": "bob", "role": "member", "disabled": True, "created_at": 0.0}
    ]


def test_list_of_nobody_says_how_to_begin(control: FakeControl, run: Run) -> None:
    control.answers["list_users"] = []
    assert "halext user add NAME --role admin" in run("user", "list").err


def test_role_and_password_can_be_changed(control: FakeControl, run: Run) -> None:
    control.answers |= {"set_role": ADA, "set_password": ADA}
    assert run("user", "role", "ada", "admin").out == "ada is admin now.\n"
    assert run("user", "passwd", "ada", stdin="battery staple\n").out == "ada has another password now.\n"
    assert control.calls == [
        ("set_role", SetRole(name="ada", role="admin")),
        ("set_password", SetPassword(name="ada", password="battery staple")),
    ]


@pytest.mark.parametrize(
    ("verb", "answer", "disabled", "says"),
    [("disable", BOB, True, "bob is shut out now.\n"), ("enable", ADA, False, "ada may come in now.\n")],
)
def test_shut_out_and_let_in(
    control: FakeControl, run: Run, verb: str, answer: UserInfo, disabled: bool, says: str
) -> None:
    control.answers["set_disabled"] = answer
    assert run("user", verb, answer.name).out == says
    assert control.calls == [("set_disabled", SetDisabled(name=answer.name, disabled=disabled))]
