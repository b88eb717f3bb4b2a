"""Flows: the pages on which staff set up assistants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chat.models import Flow, User
from chat.models.flow import DEFAULT_FLOW_ID
from chat.runtime import Runtime
from tests.web.page_dom import parse

ClientOf = Callable[[User], Client]
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def boss(transactional_db: None, client_of: ClientOf) -> Client:
    return client_of(User.objects.create_user("boss", password="a-long-password-4", is_staff=True))


def errors_after(browser: Client, **fields: object) -> str:
    """What the page says about a new flow with these fields, which is not stored."""
    response = browser.post("/flows/new", {"name": "Clerk", "all_tools": "on", **fields})
    assert response.status_code == 200
    assert not Flow.objects.filter(name="Clerk").exists()
    form = response.context["form"]
    return " ".join(f"{name}: {text}" for name, texts in form.errors.items() for text in texts)


class TestAccess:
    @pytest.mark.parametrize("verb", ["get", "post"])
    @pytest.mark.parametrize("address", ["", "new", "{pk}/", "{pk}/delete"])
    def test_for_an_outsider_the_pages_do_not_exist(
        self, runtime: Runtime, charlie: User, client_of: ClientOf, address: str, verb: str
    ) -> None:
        flow = Flow.objects.create(name="Clerk")

        for browser in (Client(), client_of(charlie)):
            response = getattr(browser, verb)(f"/flows/{address.format(pk=flow.pk)}", {"name": "Mine"})

            assert response.status_code in (404, 405)
        assert Flow.objects.get(pk=flow.pk).name == "Clerk"

    def test_the_way_to_them_is_shown_to_staff_only(
        self, runtime: Runtime, boss: Client, charlie: User, client_of: ClientOf
    ) -> None:
        assert 'href="/flows/"' in boss.get("/").content.decode()
        assert 'href="/flows/"' not in client_of(charlie).get("/").content.decode()
        assert 'href="/flows/"' not in client_of(charlie).get("/keys/").content.decode()


class TestList:
    def test_it_shows_the_flow_of_a_fresh_install_and_its_address(
        self, runtime: Runtime, boss: Client
    ) -> None:
        html = boss.get("/flows/").content.decode()

        assert "Parley" in html
        assert f"<code>/api/v1/prediction/{DEFAULT_FLOW_ID}</code>" in html
        assert f'data-copy-text="http://testserver/api/v1/prediction/{DEFAULT_FLOW_ID}"' in html

    def test_a_long_list_needs_no_more_queries_than_a_short_one(self, runtime: Runtime, boss: Client) -> None:
        boss.get("/flows/")
        counts = []
        for name in ("ab", "cdefghijkl"):
            for letter in name:
                Flow.objects.create(name=letter)
            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert boss.get("/flows/").status_code == 200
            counts.append(len(queries))

        assert counts[0] == counts[1] <= 4

    def test_names_are_shown_as_text(self, runtime: Runtime, boss: Client) -> None:
        flow = Flow.objects.create(name=EVIL, starter_prompts=[EVIL])

        for address in ("/flows/", f"/flows/{flow.pk}/", f"/flows/{flow.pk}/delete", f"/?flow={flow.pk}"):
            assert EVIL not in boss.get(address).content.decode()


class TestForm:
    @pytest.mark.parametrize("address", ["/flows/", "/flows/new", f"/flows/{DEFAULT_FLOW_ID}/"])
    def test_every_tag_of_the_page_is_closed(self, runtime: Runtime, boss: Client, address: str) -> None:
        Flow.objects.default()
        html = boss.get(address).content.decode()

        assert parse(html.replace("<!doctype html>", ""))

    def test_a_flow_with_everything_is_stored_and_shown_again(self, runtime: Runtime, boss: Client) -> None:
        fields = {
            "name": "Clerk",
            "model": "tiny",
            "system_prompt": "You sell shoes.",
            "starter_prompts": "Which shoes?\r\n\r\n  Opening hours?  ",
            "tools": ["clock"],
            "temperature": "0.2",
            "top_k": "0",
            "max_tokens": "99",
            "stop": "END\r\nUser:",
            "requires_key": "on",
            "allowed_origins": "https://Shop.example:443\r\nhttp://localhost:3000",
            "rate_limit_requests": "5",
            "rate_limit_window_s": "",
        }

        response = boss.post("/flows/new", fields)

        flow = Flow.objects.get(name="Clerk")
        assert (response.status_code, response["Location"]) == (302, "/flows/")
        assert (flow.model, flow.system_prompt, flow.tools) == ("tiny", "You sell shoes.", ["clock"])
        assert flow.starter_prompts == ["Which shoes?", "Opening hours?"]
        assert flow.params == {"temperature": 0.2, "top_k": 0, "max_tokens": 99, "stop": ["END", "User:"]}
        assert flow.allowed_origins == ["https://shop.example", "http://localhost:3000"]
        assert (flow.requires_key, flow.rate_limit_requests, flow.rate_limit_window_s) == (True, 5, 60)
        again = boss.get(f"/flows/{flow.pk}/").content.decode()
        assert 'value="0.2"' in again
        assert "END\nUser:</textarea>" in again

    def test_empty_fields_mean_the_servers_own(self, runtime: Runtime, boss: Client) -> None:
        boss.post("/flows/new", {"name": "Plain", "all_tools": "on"})

        flow = Flow.objects.get(name="Plain")
        assert (flow.model, flow.params, flow.tools, flow.starter_prompts) == ("", {}, None, [])

    def test_no_tool_is_not_every_tool(self, runtime: Runtime, boss: Client) -> None:
        boss.post("/flows/new", {"name": "Bare"})

        assert Flow.objects.get(name="Bare").tools == []

    def test_values_can_be_taken_away_again(self, runtime: Runtime, boss: Client) -> None:
        flow = Flow.objects.create(name="Clerk", params={"temperature": 0.1}, tools=["clock"])

        boss.post(f"/flows/{flow.pk}/", {"name": "Clerk", "all_tools": "on"})

        flow.refresh_from_db()
        assert (flow.params, flow.tools) == ({}, None)

    def test_what_is_not_there_for_the_moment_stays_chosen(self, runtime: Runtime, boss: Client) -> None:
        flow = Flow.objects.create(name="Clerk", model="on-the-other-disk", tools=["search"])

        boss.post(f"/flows/{flow.pk}/", {"name": "New", "model": "on-the-other-disk", "tools": "search"})

        flow.refresh_from_db()
        assert (flow.name, flow.model, flow.tools) == ("New", "on-the-other-disk", ["search"])

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({"name": "  "}, "name: This field is required."),
            ({"name": "x" * 81}, "name: Ensure this value has at most 80"),
            ({"name": "Parley"}, "name: Another flow has this name already."),
            ({"model": "gone"}, "model: There is no model “gone”."),
            ({"system_prompt": "x" * 20_001}, "system_prompt: Ensure this value has at most 20000"),
            ({"tools": ["shell"], "all_tools": ""}, "tools: There is no tool “shell” on this server."),
            ({"temperature": "2.5"}, "temperature: temperature must be a number from 0 to 2."),
            ({"temperature": "nan"}, "temperature: Temperature must be a number."),
            ({"top_k": "1.5"}, "top_k: Top k must be a whole number."),
            ({"top_k": "-1"}, "top_k: top_k must be a whole number from 0"),
            ({"top_p": "-0.1"}, "top_p: top_p must be a number from 0 to 1."),
            ({"seed": str(2**32)}, "seed: seed must be a whole number from 0"),
            ({"max_tokens": "0"}, "max_tokens: max_tokens must be a whole number from 1"),
            ({"stop": "\n".join("abcdefghijklmnopq")}, "stop: stop has 17 strings"),
            ({"starter_prompts": "a\nb\nc\nd\ne"}, "starter_prompts: At most 4 starter prompts"),
            ({"starter_prompts": "x" * 201}, "starter_prompts: A starter prompt has at most 200"),
            ({"rate_limit_requests": "0"}, "rate_limit_requests: Ensure this value is greater"),
            ({"rate_limit_window_s": "0"}, "rate_limit_window_s: Ensure this value is greater"),
        ],
    )
    def test_a_wrong_field_is_named(
        self, runtime: Runtime, boss: Client, fields: dict[str, Any], complaint: str
    ) -> None:
        assert complaint in errors_after(boss, **fields)

    @pytest.mark.parametrize(
        "origin",
        [
            "shop.example",
            "https://shop.example/",
            "https://shop.example/page",
            "https://user@shop.example",
            "https://shop.example:65536",
            "https://shop example",
            "null",
            "https://*.example",
            "https://",
        ],
    )
    def test_what_is_no_origin_is_refused(self, runtime: Runtime, boss: Client, origin: str) -> None:
        assert "allowed_origins: “" in errors_after(boss, allowed_origins=origin)

    @pytest.mark.parametrize(
        "origin", ["*", "https://shop.example:8443", "http://[::1]:3000", "app://parley"]
    )
    def test_origins_are_kept_as_browsers_send_them(
        self, runtime: Runtime, boss: Client, origin: str
    ) -> None:
        boss.post("/flows/new", {"name": "Clerk", "allowed_origins": origin})

        assert Flow.objects.get(name="Clerk").allowed_origins == [origin]
