"""The description is of what is served, and whole."""

from __future__ import annotations

import re
from typing import Any

import httpx

from halext_web.api.hx import operations
from halext_web.api.openapi import document


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(references(item) for item in value))
    return set()


def test_every_operation_is_described() -> None:
    described = document(operations())
    found = {(m.upper(), path) for path, methods in described["paths"].items() for m in methods}
    assert {(entry.method, entry.path) for entry in operations()} <= found
    assert {("POST", "/hx/session"), ("DELETE", "/hx/session"), ("POST", "/hx/first-admin")} <= found
    names = [entry["operationId"] for methods in described["paths"].values() for entry in methods.values()]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere() -> None:
    described = document(operations())
    schemas = described["components"]["schemas"]
    assert references(described) <= {f"#/components/schemas/{name}" for name in schemas}


def test_parameters_stand_where_they_are_read() -> None:
    described = document(operations())
    for path, methods in described["paths"].items():
        for method, entry in methods.items():
            in_path = {p["name"] for p in entry.get("parameters", ()) if p["in"] == "path"}
            assert in_path == set(re.findall(r"\{(\w+)\}", path)), (method, path)
            if method in {"get", "delete"}:
                assert "requestBody" not in entry
    body = described["paths"]["/hx/tokens"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["name"]
    assert set(body["properties"]) == {"name", "expires_in_s", "scopes", "user"}


async def test_it_is_served(member: httpx.AsyncClient) -> None:
    answer = await member.get("/hx/openapi.json")
    assert answer.json()["openapi"] == "3.1.0"
    assert answer.json()["info"]["title"] == "halext"
