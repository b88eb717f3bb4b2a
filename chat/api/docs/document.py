"""The OpenAPI document of all APIs, made from their routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from chat.api.docs.routes import Route, api_routes
from chat.http.openapi import Operation, Schema

VERSION = "1.0.0"  # of what the APIs promise
BEARER = "bearer"


def openapi_document() -> dict[str, Any]:
    """JSON-ready. The error schema of each API is a component of its own."""
    routes = api_routes()
    errors = _error_names(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for operation in route.operations:
            method = operation.method.lower()
            paths.setdefault(route.path, {})[method] = _operation(route, operation, errors)
    tags = dict.fromkeys(operation.tag for route in routes for operation in route.operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Parley",
            "version": VERSION,
            "description": "Ask flows and models from programs. A key is made on the page of API keys.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in tags],
        "paths": paths,
        "components": {
            "schemas": dict(errors),
            "securitySchemes": {BEARER: {"type": "http", "scheme": "bearer"}},
        },
    }


def _error_names(routes: list[Route]) -> list[tuple[str, Schema]]:
    """A name for each different schema of an error."""
    found: list[tuple[str, Schema]] = []
    for operation in (operation for route in routes for operation in route.operations):
        for status, schema in operation.responses.items():
            if (
                status < HTTPStatus.BAD_REQUEST
                or schema is None
                or any(schema == known for _, known in found)
            ):
                continue
            taken = {name for name, _ in found}
            stem = "".join(word.capitalize() for word in operation.tag.split()) + "Error"
            names = (f"{stem}{number or ''}" for number in range(len(taken) + 1))
            found.append((next(name for name in names if name not in taken), schema))
    return found


def _operation(route: Route, operation: Operation, errors: list[tuple[str, Schema]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": f"{operation.method.lower()}_{route.name}",
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": {
            str(status): _response(status, schema, operation, errors)
            for status, schema in operation.responses.items()
        },
        "security": [{BEARER: []}] if operation.needs_key else [{}, {BEARER: []}],
    }
    if operation.description:
        described["description"] = operation.description
    if parameters := [*route.parameters, *operation.parameters]:
        described["parameters"] = parameters
    bodies = {"application/json": operation.body, "multipart/form-data": operation.multipart}
    if content := {kind: {"schema": schema} for kind, schema in bodies.items() if schema is not None}:
        described["requestBody"] = {"required": True, "content": content}
    return described | dict(operation.extra)


def _response(
    status: int, schema: Schema | None, operation: Operation, errors: list[tuple[str, Schema]]
) -> dict[str, Any]:
    response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    content: dict[str, Any] = {}
    if schema is not None:
        name = next((name for name, known in errors if status >= 400 and known == schema), None)
        content["application/json"] = {"schema": {"$ref": f"#/components/schemas/{name}"} if name else schema}
    if operation.streams and status == HTTPStatus.OK:
        content[operation.streams] = {"schema": {"type": "string"}}
    if content:
        response["content"] = content
    return response
