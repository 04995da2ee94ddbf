from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.testing.botapi.forms import Form, read
from halext.testing.fake import Refusal
from halext.testing.server import Request


def received(request: httpx.Request) -> Form:
    body = request.read()
    return read(Request("POST", "/", dict(request.url.params), dict(request.headers), body))


@given(st.dictionaries(st.text("abc_", min_size=1), st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_the_encodings_carry_the_same(values: dict[str, str]) -> None:
    forms = [
        received(httpx.Request("POST", "http://x/", data=values)),
        received(httpx.Request("POST", "http://x/", json=values)),
        received(httpx.Request("GET", "http://x/", params=values)),
    ]
    assert [dict(form.values) for form in forms] == [values] * 3


@given(data=st.binary(max_size=200), name=st.text('ab c."é\\', min_size=1, max_size=9))
def test_files_come_as_they_were_sent(data: bytes, name: str) -> None:
    boundary = "0123456789abcdef" * 2
    head = {"content-type": f"multipart/form-data; boundary={boundary}"}
    request = httpx.Request("POST", "http://x/", headers=head, data={"chat_id": "1"}, files={"photo": ("n.png", data)})
    form = received(request)
    assert form.number("chat_id") == 1
    upload = form.upload("photo")
    assert upload
    assert (upload.data, upload.name, upload.content_type) == (data, "n.png", "image/png")
    assert form.upload("media", "attach://photo") is upload
    assert form.upload("media", f"attach://{name}") is None


def test_values_are_read_as_what_they_are() -> None:
    form = Form(
        {"n": "-12", "t": "True", "no": "false", "list": '["a"]', "map": '{"a":1}', "real": [1], "bad": "[", "x": "x"}
    )
    assert (form.number("n"), form.number("missing", 5), form.number("x")) == (-12, 5, 0)
    assert (form.truth("t"), form.truth("no"), form.truth("missing")) == (True, False, False)
    assert (form.items("list"), form.items("real"), form.items("missing")) == (["a"], [1], [])
    assert (form.mapping("map"), form.mapping("missing")) == ({"a": 1}, {})
    for wrong, field in ((form.items, "map"), (form.mapping, "list"), (form.nested, "bad")):
        with pytest.raises(Refusal, match="can't parse"):
            wrong(field)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{"),
        ("application/json", json.dumps([1]).encode()),
        ("multipart/form-data", b"x"),
        ("application/x-www-form-urlencoded", b"\xff"),
    ],
)
def test_bodies_that_cannot_be_read(kind: str, body: bytes) -> None:
    with pytest.raises(Refusal, match="can't parse the body"):
        read(Request("POST", "/", {}, {"content-type": kind}, body))


def test_quoted_names() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="document"; filename="a \\"b\\".txt"\r\n\r\nx\r\n--b--\r\n'
    form = read(Request("POST", "/", {}, {"content-type": 'multipart/form-data; boundary="b"'}, body))
    assert form.files["document"].name == 'a "b".txt'
    assert form.files["document"].content_type == "application/octet-stream"
    assert "data" not in repr(form.files["document"])
