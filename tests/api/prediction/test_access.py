"""Who may ask which flow: keys, web origins, rate limits; and what does not exist."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from chat.models.flow import DEFAULT_FLOW_ID
from tests.api.prediction.asking import TIMEOUT_S, Asker, events_of, metadata_of
from tests.api.prediction.conftest import Site

ERROR_KEYS = {"statusCode", "success", "message", "stack"}
SHOP = {"Origin": "https://shop.example"}
EVIL = {"Origin": "https://evil.example"}


@pytest.mark.parametrize("is_streaming", [True, False])
@pytest.mark.parametrize("key", ["", "pk-wrong", "' OR 1=1--", "x" * 5_000])
def test_a_wrong_key_is_told_before_any_stream(
    asker_of: Callable[..., Asker], site: Site, key: str, is_streaming: bool
) -> None:
    response = asker_of(site.closed_flow, key).post({"question": "Hello", "streaming": is_streaming})

    assert response.status_code == 401
    assert response.json() == {"statusCode": 401, "success": False, "message": "Unauthorized", "stack": {}}
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_wrong_key_is_refused_also_where_none_is_needed(asker_of: Callable[..., Asker], site: Site) -> None:
    assert asker_of(site.open_flow, "pk-wrong").post({"question": "Hello"}).status_code == 401


def test_a_key_without_the_right_or_the_flow_is_forbidden(asker_of: Callable[..., Asker], site: Site) -> None:
    for flow_id in (site.open_flow, site.closed_flow):
        assert asker_of(flow_id, site.narrow_key).post({"question": "Hello"}).status_code == 403


@pytest.mark.parametrize("is_streaming", [True, False])
@pytest.mark.parametrize("flow_id", ["342f167e-d57b-4e43-8456-a56bebf0361b", "nonsense", "1", "%00"])
def test_unknown_flows_are_404_in_both_modes(
    asker_of: Callable[..., Asker], flow_id: str, is_streaming: bool
) -> None:
    response = asker_of(flow_id).post({"question": "Hello", "streaming": is_streaming})

    assert response.status_code == 404
    assert response.json().keys() == ERROR_KEYS
    assert "not found in the database!" in response.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("POST", "/api/v1/nothing/at/all", 404),
        ("GET", "/api/v1/", 404),
        ("PUT", f"/api/v1/chatmessage/abort/{DEFAULT_FLOW_ID}/a%0Ab", 404),
        ("POST", "/api/v1/prediction", 412),
        ("POST", "/api/v1/prediction/", 412),
        ("GET", "/api/v1/prediction/x", 405),
        ("PATCH", "/api/v1/chatflows", 405),
    ],
)
def test_what_does_not_exist_is_told_in_json(site: Site, method: str, path: str, status: int) -> None:
    response = requests.request(method, site.url + path, timeout=TIMEOUT_S)

    assert response.status_code == status
    assert response.json().keys() == ERROR_KEYS
    assert response.json()["statusCode"] == status


class TestOrigins:
    def test_an_empty_list_serves_everybody_without_headers(self, asker: Asker) -> None:
        response = asker.post({"question": "Hello"}, headers=EVIL)

        assert response.status_code == 200
        assert not [name for name in response.headers if name.startswith("Access-Control")]

    def test_a_named_origin_may_read_answers_and_errors(
        self, asker_of: Callable[..., Asker], site: Site
    ) -> None:
        shop = asker_of(site.shop_flow)

        for body, status in (({"question": "Hello", "streaming": True}, 200), ({"question": 5}, 400)):
            response = shop.post(body, headers=SHOP)
            assert response.status_code == status
            assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"
            assert "Origin" in response.headers["Vary"]
            assert "Access-Control-Allow-Credentials" not in response.headers

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "http://shop.example", "null", "x", "https://[", ""]
    )
    def test_other_origins_are_refused(self, asker_of: Callable[..., Asker], site: Site, origin: str) -> None:
        shop, headers = asker_of(site.shop_flow), {"Origin": origin}

        streamed = shop.post({"question": "Hello", "streaming": True}, headers=headers)
        whole = shop.post({"question": "Hello"}, headers=headers)

        if not origin:  # that is how programs ask
            assert (streamed.status_code, whole.status_code) == (200, 200)
            return
        assert (streamed.status_code, whole.status_code) == (403, 403)
        assert streamed.headers["Content-Type"].startswith("text/plain")
        assert whole.json().keys() == ERROR_KEYS
        assert "Access-Control-Allow-Origin" not in whole.headers
        assert shop.get("public-chatbotConfig", headers=headers).status_code == 403

    def test_a_star_is_everybody(self, asker_of: Callable[..., Asker], site: Site) -> None:
        response = asker_of(site.world_flow).post({"question": "Hello"}, headers=EVIL)

        assert response.headers["Access-Control-Allow-Origin"] == "*"

    def test_preflights(self, asker_of: Callable[..., Asker], site: Site, asker: Asker) -> None:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        shop = asker_of(site.shop_flow)

        good = shop.request("OPTIONS", "prediction", headers=SHOP | asked)
        assert good.status_code == 204
        assert good.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert good.headers["Access-Control-Allow-Methods"] == "POST"
        assert "Content-Type" in good.headers["Access-Control-Allow-Headers"]
        assert shop.request("OPTIONS", "prediction", headers=EVIL | asked).status_code == 403
        plain = asker.request("OPTIONS", "prediction", headers=EVIL | asked)
        assert plain.status_code == 204
        assert "Access-Control-Allow-Origin" not in plain.headers


def test_a_flow_has_its_own_rate_limit(asker_of: Callable[..., Asker], site: Site) -> None:
    busy = asker_of(site.busy_flow)
    answers = [busy.post({"question": "Hello", "streaming": True}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    refusal = answers[-1]
    assert refusal.headers["Content-Type"].startswith("text/plain")
    assert refusal.text.startswith("Too many requests")
    assert 0 < int(refusal.headers["Retry-After"]) <= 3601
    assert refusal.headers["X-RateLimit-Limit"] == "2"
    assert refusal.headers["X-RateLimit-Remaining"] == "0"
    assert int(refusal.headers["X-RateLimit-Reset"]) > 1_700_000_000


def test_chats_of_one_name_are_apart_for_each_person(
    member: Asker, asker_of: Callable[..., Asker], site: Site, asker: Asker
) -> None:
    bob, keyed = asker_of(site.closed_flow, site.bobs_key), asker_of(site.open_flow, site.key)
    everybody = [member, bob, asker, keyed]

    for person in everybody:
        person.ask(f"I am {person.key[:12]}", chatId="shared-name")

    for person in everybody:
        rows = person.messages(chatId="shared-name")
        assert rows[0]["content"] == f"I am {person.key[:12]}"
        assert len(rows) == 2


def test_no_cookie_counts_and_none_is_given(asker: Asker) -> None:
    response = asker.post({"question": "Hello", "streaming": True}, headers={"Cookie": "parley_guest=y"})

    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
    assert metadata_of(events_of(response.content.decode()))
