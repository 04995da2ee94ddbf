from __future__ import annotations

import json

import pytest

from halext.runtime.shapes import Done, Nothing
from halext.runtime.shapes_workspaces import (
    OwnerRef,
    PersonInWorkspace,
    PlacePerson,
    RemovePerson,
    RenameWorkspace,
    WorkspaceInfo,
    WorkspacePeople,
    WorkspaceRef,
    WorkspacesOf,
)
from tests.halext.cli.conftest import FakeControl, Run

FAMILY = WorkspacePeople(
    name="family", role="owner", created_at=0.0, people=[PersonInWorkspace(name="Ann", role="owner", since=0.0)]
)


def test_create(control: FakeControl, run: Run) -> None:
    control.answers["create_workspace"] = WorkspaceInfo(name="family", role="owner", created_at=0.0)
    assert run("workspace", "create", "family", "--user", "ann").out == "The workspace family is there.\n"
    assert control.calls == [("create_workspace", WorkspaceRef(name="family", user="ann"))]


def test_list(control: FakeControl, run: Run) -> None:
    control.answers["list_workspaces"] = [WorkspaceInfo(name="family", role="viewer", created_at=0.0)]
    _, line = run("workspace", "list").out.splitlines()
    assert line.split()[:2] == ["family", "viewer"]
    assert json.loads(run("workspace", "list", "--json").out)[0]["role"] == "viewer"
    control.answers["list_workspaces"] = []
    assert "halext workspace create" in run("workspace", "list").err
    assert control.calls == [("list_workspaces", WorkspacesOf())] * 3


def test_everyones(control: FakeControl, run: Run) -> None:
    control.answers["list_all_workspaces"] = [FAMILY]
    name, _, line = run("workspace", "list", "--all").out.splitlines()
    assert (name, line.split()[:2]) == ("family", ["Ann", "owner"])
    assert json.loads(run("workspace", "list", "--all", "--json").out)[0]["name"] == "family"
    assert control.calls == [("list_all_workspaces", Nothing())] * 2


def test_show(control: FakeControl, run: Run) -> None:
    control.answers["show_workspace"] = FAMILY
    assert run("workspace", "show", "family").out.splitlines()[0] == "family"
    assert json.loads(run("workspace", "show", "family", "--json").out)["people"][0]["name"] == "Ann"


@pytest.mark.parametrize(
    ("words", "verb", "params"),
    [
        (("add", "family", "Ben"), "add_to_workspace", PlacePerson(name="family", person="Ben", role="member")),
        (
            ("add", "family", "Ben", "--role", "viewer", "--user", "ann"),
            "add_to_workspace",
            PlacePerson(name="family", person="Ben", role="viewer", user="ann"),
        ),
        (
            ("role", "family", "Ben", "owner"),
            "set_workspace_role",
            PlacePerson(name="family", person="Ben", role="owner"),
        ),
        (("remove", "family", "Ben"), "remove_from_workspace", RemovePerson(name="family", person="Ben")),
        (("rename", "family", "home"), "rename_workspace", RenameWorkspace(name="family", to="home")),
        (("delete", "family"), "delete_workspace", WorkspaceRef(name="family")),
        (("appoint", "family", "Ben"), "appoint_owner", OwnerRef(name="family", person="Ben")),
        (("dismiss", "family", "Ben"), "dismiss_owner", OwnerRef(name="family", person="Ben")),
    ],
)
def test_the_others_say_what_they_did(
    control: FakeControl, run: Run, words: tuple[str, ...], verb: str, params: object
) -> None:
    control.answers[verb] = Done("It is done.")
    assert run("workspace", *words).out == "It is done.\n"
    assert control.calls == [(verb, params)]


def test_a_role_that_is_none_is_wrong_use(control: FakeControl, run: Run) -> None:
    assert run("workspace", "role", "family", "Ben", "king").code == 2
    assert control.calls == []
