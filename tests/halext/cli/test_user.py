from __future__ import annotations

import json

import pytest

from halext.errors import AlreadyExists, NotFound
from halext.runtime.shapes import AddUser, Done, Named, SetDisabled, SetPassword, SetRole, UserInfo
from halext.runtime.shapes_identity import InviteInfo, InviteRef, MakeInvite, NewInviteInfo
from halext.runtime.shapes_links import LinkCodeInfo, LinkInfo, LinksOf, UnlinkAccount
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


def test_a_link_code_is_alone_on_standard_output(control: FakeControl, run: Run) -> None:
    control.answers["make_link_code"] = LinkCodeInfo(code="ABCD-EFGH", expires_at=0.0)
    result = run("user", "link", "ada")
    assert (result.code, result.out) == (0, "ABCD-EFGH\n")
    assert "/link ABCD-EFGH" in result.err
    assert run("user", "link").out == "ABCD-EFGH\n"
    assert control.calls == [("make_link_code", LinksOf(user="ada")), ("make_link_code", LinksOf())]


def test_links_are_listed(control: FakeControl, run: Run) -> None:
    control.answers["list_links"] = [LinkInfo(platform="discord", account="1001", name="ada#1", linked_at=0.0)]
    _, row = run("user", "links", "ada").out.splitlines()
    assert row.split()[:3] == ["discord", "1001", "ada#1"]
    assert json.loads(run("user", "links", "--json").out) == [
        {"platform": "discord", "account": "1001", "name": "ada#1", "linked_at": 0.0}
    ]
    assert control.calls == [("list_links", LinksOf(user="ada")), ("list_links", LinksOf())]


def test_no_links_say_how_to_begin(control: FakeControl, run: Run) -> None:
    control.answers["list_links"] = []
    result = run("user", "links")
    assert (result.code, result.out) == (0, "")
    assert "halext user link" in result.err


def test_unlink(control: FakeControl, run: Run) -> None:
    control.answers["unlink_account"] = Done("The chat account is not linked any more.")
    assert run("user", "unlink", "discord", "1001", "--user", "ada").out == "The chat account is not linked any more.\n"
    assert control.calls == [("unlink_account", UnlinkAccount(user="ada", platform="discord", account="1001"))]


@pytest.mark.parametrize("arguments", [("link", "eve"), ("links", "eve"), ("unlink", "discord", "1")])
def test_what_can_not_be_linked_is_said(control: FakeControl, run: Run, arguments: tuple[str, ...]) -> None:
    names = ("make_link_code", "list_links", "unlink_account")
    control.answers |= dict.fromkeys(names, NotFound("There is nobody called 'eve'; `halext user list` shows all."))
    result = run("user", *arguments)
    assert (result.code, result.out) == (1, "")
    assert "halext user list" in result.err


def test_sign_out(control: FakeControl, run: Run) -> None:
    control.answers["sign_out_user"] = Done("ada is signed out everywhere.")
    assert run("user", "sign-out", "ada").out == "ada is signed out everywhere.\n"
    assert control.calls == [("sign_out_user", Named(name="ada"))]


INVITE = InviteInfo(id=3, role="guest", note="Ann", maker=None, created_at=0.0, expires_at=86_400.0)


def test_invite_prints_the_link_alone(control: FakeControl, run: Run) -> None:
    control.answers["make_invite"] = NewInviteInfo(link="http://x/welcome?invite=hxi_1", code="hxi_1", info=INVITE)
    result = run("user", "invite", "--role", "guest", "--days", "3", "--note", "Ann")
    assert (result.code, result.out) == (0, "http://x/welcome?invite=hxi_1\n")
    assert "makes one guest" in result.err
    assert control.calls == [("make_invite", MakeInvite(role="guest", days=3.0, note="Ann"))]
    assert json.loads(run("user", "invite", "--json").out)["code"] == "hxi_1"


def test_invites_and_their_end(control: FakeControl, run: Run) -> None:
    control.answers["list_invites"] = [INVITE]
    _, row = run("user", "invites").out.splitlines()
    assert row.split()[:4] == ["3", "guest", "Ann", "-"]
    assert json.loads(run("user", "invites", "--json").out)[0]["id"] == 3
    control.answers["list_invites"] = []
    assert "halext user invite" in run("user", "invites").err
    control.answers["end_invite"] = Done("The invite has ended.")
    assert run("user", "uninvite", "3").out == "The invite has ended.\n"
    assert control.calls[-1] == ("end_invite", InviteRef(id=3))
