"""The OpenAPI document and its page: they tell of every route, and truly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.test import AsyncClient, Client
from jsonschema_rs import meta

from chat.api.docs.document import openapi_document
from chat.api.docs.routes import api_routes
from chat.models import User

METHODS = {"get", "post", "put", "patch", "delete"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in openapi_document()["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def schemas_in(operation: dict[str, Any]) -> Iterator[Any]:
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for body in bodies:
        for media in body.get("content", {}).values():
            yield media["schema"]
    for parameter in operation.get("parameters", ()):
        yield parameter["schema"]


def test_every_route_of_the_apis_is_documented() -> None:
    assert [route.path for route in api_routes() if not route.is_documented] == []


def test_the_document_is_whole() -> None:
    found = list(operations())
    names = [operation["operationId"] for _, _, operation in found]

    assert {method for method, _, _ in found} <= METHODS
    assert len(set(names)) == len(names)
    for method, path, operation in found:
        parameters = {
            parameter["name"]
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "path" and parameter["required"]
        }
        assert parameters == {part[1:-1] for part in path.split("/") if part.startswith("{")}, path
        assert operation["summary"], (method, path)
        assert operation["responses"], (method, path)


def test_every_schema_is_a_json_schema() -> None:
    components = openapi_document()["components"]["schemas"].values()
    for schema in [
        *components,
        *(schema for *_, operation in operations() for schema in schemas_in(operation)),
    ]:
        assert meta.is_valid(schema), schema


def test_every_reference_leads_somewhere() -> None:
    document = openapi_document()

    def references(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(found := value.get("$ref"), str):
                yield found
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list | tuple):
            for item in value:
                yield from references(item)

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


async def test_the_document_is_served(async_client: AsyncClient) -> None:
    response = await async_client.get("/api/openapi.json")

    assert response["Content-Type"] == "application/json"
    assert json.loads(response.content)["openapi"].startswith("3.1")


def test_the_page_shows_every_operation(client: Client, db: None) -> None:
    page = client.get("/api/docs").content.decode()

    for method, path, operation in operations():
        assert operation["summary"] in page
        assert f'<span class="docs-method">{method.upper()}</span> <code>{path}</code>' in page


def test_the_page_leads_its_reader_to_the_keys(client: Client, alice: User) -> None:
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")

    assert 'href="/keys/"' in client.get("/api/docs").content.decode()
