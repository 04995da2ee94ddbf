"""A second way in that gets more than the first: another header, another kind of credential, a token in the address."""

from __future__ import annotations

import ast
import base64
from pathlib import Path

import httpx
import pytest

import halext_web
from halext.accounts.types import LOCAL, Permission
from halext.runtime.operations import OPERATIONS, Operation
from halext_web.credentials import COOKIE
from tests.web.conftest import House

PASSWORDS = {"Mia": "battery staple", "Ada": "correct horse"}
READS = [entry for entry in OPERATIONS if entry.method == "GET" and "{" not in entry.path and entry.path != "/hx/keys"]
"""Operations that can be tried without an object; the vault is not in this house."""
WRITES = ["/hx/nodes", "/hx/admin/users", "/hx/admin/invites", "/hx/tokens", "/hx/tasks"]


def basic(token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"any:{token}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def ways_in(house: House, name: str, scopes: list[str] | None = None) -> dict[str, dict[str, str]]:
    """Every kind of credential of one person, as headers; with `scopes`, those that can carry fewer rights."""
    people = house.app.people
    session, _ = await people.sign_in(name, PASSWORDS[name])
    token, _ = await people.create_token(LOCAL, "t", for_user=name, scopes=scopes or ["all"])
    jwt, _ = await people.access_token(token)
    narrow = {
        "bearer token": bearer(token),
        "basic token": basic(token),
        "jwt of a token": bearer(jwt),
        "basic jwt": basic(jwt),
    }
    jwt_of_session, _ = await people.access_token(session, scopes)
    narrow["jwt of a session"] = bearer(jwt_of_session)
    if scopes is not None:
        return narrow
    return narrow | {"cookie": {"Cookie": f"{COOKIE}={session}", "Origin": house.url}, "session": bearer(session)}


def outcome(answer: httpx.Response) -> str:
    return "forbidden" if answer.status_code == 403 else "unknown" if answer.status_code == 401 else "in"


async def attempts(house: House, headers: dict[str, str]) -> dict[str, str]:
    """What these headers open, by operation."""
    async with house.client(headers) as client:
        found = {entry.name: outcome(await client.get(entry.path)) for entry in READS}
        # A body that can't be used: what comes after the right is asked for is never reached.
        found |= {path: outcome(await client.post(path, json={"no": "field"})) for path in WRITES}
    return found


@pytest.mark.parametrize("name", ["Mia", "Ada"])
async def test_every_kind_of_one_person_opens_the_same(house: House, name: str) -> None:
    ways = await ways_in(house, name)
    opened = {kind: await attempts(house, headers) for kind, headers in ways.items()}
    assert set(map(str, opened.values())) == {str(opened["cookie"])}, opened
    assert set(opened["cookie"].values()) == ({"in", "forbidden"} if name == "Mia" else {"in"})


@pytest.mark.parametrize("scopes", [["use"], ["own"], ["use", "own"], ["account"]])
async def test_fewer_rights_stay_fewer_however_they_are_shown(house: House, scopes: list[str]) -> None:
    for kind, headers in (await ways_in(house, "Ada", scopes)).items():
        opened = await attempts(house, headers)
        for entry in READS:
            assert opened[entry.name] == ("in" if entry.permission in scopes else "forbidden"), (kind, entry.name)


async def test_without_the_right_to_ask_no_way_leads_to_a_model(house: House) -> None:
    """What is one's own may be read and changed with `own`; a model's time is another right, on whichever path."""
    async with house.client(house.auth) as client:
        begun = (await client.post("/hx/conversations", json={"text": "hi"})).json()
        conversation, answer = begun["conversation"]["id"], begun["answer"]
        async for _ in house.app.answers.follow(await house.app.people.caller_for(house.token), answer):
            pass
    asked = len(house.script.requests)
    for headers in (await ways_in(house, "Mia", ["own"])).values():
        async with house.client(headers | {"Origin": house.url}) as client:
            for path, body in (
                ("/hx/conversations", {"text": "hi"}),
                (f"/hx/conversations/{conversation}/ask", {"text": "more"}),
                (f"/hx/answers/{answer}/regenerate", {}),
                (f"/hx/answers/{answer}/continue", {}),
                ("/hx/tasks/suggest", {"text": "buy milk"}),
                ("/hx/jobs", {"prompt": "hi"}),
                ("/hx/images", {"prompt": "a cat"}),
                ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
            ):
                refused = await client.post(path, json=body)
                assert refused.status_code == 403, (path, refused.text)
            for path, form in (
                ("/ask", {"prompt": "hi"}),
                ("/again", {"answer": str(answer), "how": "regenerate"}),
                ("/tasks", {"do": "suggest", "text": "buy milk"}),
            ):
                assert (await client.post(path, data=form)).status_code == 403, path
    assert len(house.script.requests) == asked


async def test_without_the_right_for_ones_account_nobody_can_stay(house: House) -> None:
    for headers in (await ways_in(house, "Ada", ["use", "own"])).values():
        async with house.client(headers | {"Origin": house.url}) as client:
            for method, path, body in (
                ("POST", "/hx/tokens", {"name": "mine"}),
                ("POST", "/hx/links/code", {}),
                ("PUT", "/hx/me/password", {"current": PASSWORDS["Ada"], "password": "mine from now on"}),
                ("GET", "/hx/sessions", None),
                ("DELETE", "/hx/sessions", None),
            ):
                answer = await client.request(method, path, json=body)
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (path, answer.text)
            assert (await client.post("/account", data={"do": "code"})).status_code == 403


async def test_a_token_makes_no_stronger_one(house: House) -> None:
    token, _ = await house.app.people.create_token(LOCAL, "t", for_user="Ada", scopes=["account", "use"])
    async with house.client(bearer(token)) as client:
        for scopes in (["all"], ["manage-people"], ["own"], None):
            answer = await client.post("/hx/tokens", json={"name": "more", "scopes": scopes})
            assert answer.status_code == 403, scopes
        assert (await client.post("/hx/tokens", json={"name": "less", "scopes": ["use"]})).status_code == 200


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "jwt", "key", "q"])
async def test_no_credential_in_an_address(house: House, stranger: httpx.AsyncClient, name: str) -> None:
    session, _ = await house.app.people.sign_in("Mia", PASSWORDS["Mia"])
    jwt, _ = await house.app.people.access_token(session)
    for secret in (house.token, session, jwt):
        for path in ("/hx/me", "/v1/models", "/api/tags", "/healthz", "/"):
            answer = await stranger.get(path, params={name: secret})
            assert answer.status_code == 400, (path, name)
            assert secret not in answer.text


@pytest.mark.parametrize("header", ["X-Api-Key", "Api-Key", "X-Auth-Token", "X-Halext-Token", "Proxy-Authorization"])
async def test_no_other_header_lets_anyone_in(house: House, stranger: httpx.AsyncClient, header: str) -> None:
    for path in ("/hx/me", "/v1/models", "/api/tags"):
        assert (await stranger.get(path, headers={header: house.token})).status_code == 401


async def test_two_credentials_are_none(house: House, stranger: httpx.AsyncClient) -> None:
    mia, ada = await ways_in(house, "Mia"), await ways_in(house, "Ada")
    for one, other in (("bearer token", "cookie"), ("jwt of a token", "cookie")):
        both = mia[one] | {"Cookie": ada[other]["Cookie"]}
        assert (await stranger.get("/hx/me", headers=both)).status_code == 400


def test_one_file_reads_credentials() -> None:
    """Whatever else looked at these headers would be a second opinion on who is asking."""
    root = Path(halext_web.__file__).parent
    readers = set()
    for path in root.rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        said = {arg.value for call in calls for arg in call.args if isinstance(arg, ast.Constant)}
        if {str(word).lower() for word in said} & {"authorization", "x-api-key", "cookie"}:
            readers.add(path.relative_to(root).as_posix())
    assert readers == {"credentials.py"}


def test_the_table_is_what_is_tried() -> None:
    def needs(right: Permission) -> list[Operation[object, object]]:  # type: ignore[type-var]
        return [entry for entry in READS if entry.permission is right]

    assert all(needs(right) for right in (Permission.USE, Permission.OWN, Permission.ACCOUNT, Permission.MANAGE_PEOPLE))
