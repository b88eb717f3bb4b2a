"""Web pages elsewhere may ask a flow that names their origin, also where the body says which flow it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import AsyncClient

from chat.models import ApiKey, Flow, User
from chat.runtime import Runtime

SHOP, OTHER = "https://shop.example", "https://other.example"
CHAT, RESPONSES, NDJSON = "/v1/chat/completions", "/v1/responses", "/v1/generate_response"
PATHS = (CHAT, RESPONSES, NDJSON)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop_flow(runtime: Runtime) -> Flow:
    return Flow.objects.create(name="Shop", allowed_origins=[SHOP])


async def ask(path: str, model: str, origin: str, key: str) -> Any:
    said = {"input": "Hi"} if path == RESPONSES else {"messages": [{"role": "user", "content": "Hi"}]}
    return await AsyncClient().post(
        path,
        json.dumps({"model": model, **said}),
        content_type="application/json",
        headers={"Origin": origin, "Authorization": f"Bearer {key}"},
    )


@pytest.fixture
def key(alice: User) -> str:
    return ApiKey.objects.issue(alice, "test")[1]


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_that_the_flow_names_may_read_the_answer(shop_flow: Flow, key: str, path: str) -> None:
    response = await ask(path, f"flow:{shop_flow.pk}", SHOP, key)

    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == SHOP
    assert "Origin" in response["Vary"]


@pytest.mark.parametrize("path", PATHS)
async def test_other_pages_are_refused(shop_flow: Flow, key: str, path: str) -> None:
    response = await ask(path, f"flow:{shop_flow.pk}", OTHER, key)

    assert response.status_code == 403
    assert "Access-Control-Allow-Origin" not in response


@pytest.mark.parametrize("path", PATHS)
async def test_a_plain_model_is_for_no_page(shop_flow: Flow, key: str, path: str) -> None:
    response = await ask(path, "tiny", SHOP, key)

    assert "Access-Control-Allow-Origin" not in response


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("origin", "is_allowed"), [(SHOP, True), (OTHER, False)])
async def test_what_browsers_ask_beforehand(
    shop_flow: Flow, path: str, origin: str, is_allowed: bool
) -> None:
    response = await AsyncClient().options(
        path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
    )

    assert response.status_code == (204 if is_allowed else 405)
    assert response.get("Access-Control-Allow-Origin") == (SHOP if is_allowed else None)
    if is_allowed:
        assert "Authorization" in response["Access-Control-Allow-Headers"]
