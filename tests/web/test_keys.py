"""The page of one's API keys."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chat.models import ApiKey, Flow, User
from chat.models.api_key import all_rights
from tests.web.page_dom import parse

ClientOf = Callable[[User], Client]


@pytest.fixture
def alices(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def new_key(browser: Client, **fields: object) -> str:
    """Ask for a key; the page that answers."""
    response = browser.post("/keys/", {"name": "Shop", "rights": all_rights(), **fields})
    assert response.status_code == 200
    return response.content.decode()


class TestAccess:
    @pytest.mark.parametrize("address", ["/keys/", "/keys/1/revoke"])
    def test_a_guest_is_asked_to_log_in(self, transactional_db: None, client: Client, address: str) -> None:
        for response in (client.get(address), client.post(address, {"name": "Shop"})):
            assert response.status_code == 302
            assert response["Location"] == f"/accounts/login/?next={address}"
        assert not ApiKey.objects.exists()

    def test_an_outsider_sees_and_revokes_nothing(
        self, alice: User, charlie: User, client_of: ClientOf
    ) -> None:
        key, _ = ApiKey.objects.issue(alice, "Secret project")
        outsider = client_of(charlie)

        assert "Secret project" not in outsider.get("/keys/").content.decode()
        assert outsider.get(f"/keys/{key.pk}/revoke").status_code == 404
        assert outsider.post(f"/keys/{key.pk}/revoke").status_code == 404
        key.refresh_from_db()
        assert key.revoked_at is None

    def test_the_way_to_the_page_is_in_the_sidebar(self, alices: Client, client: Client) -> None:
        assert 'href="/keys/"' in alices.get("/").content.decode()
        assert 'href="/keys/"' not in client.get("/").content.decode()


class TestNewKey:
    def test_the_secret_is_shown_once_and_works(self, alices: Client, alice: User) -> None:
        html = new_key(alices)

        secret = re.search(r"pk-[\w-]{43}", html)
        assert secret is not None
        key = ApiKey.objects.of_secret(secret[0])
        assert key is not None
        assert (key.user, key.name, key.rights) == (alice, "Shop", all_rights())
        assert f'data-copy-text="{secret[0]}"' in html
        again = alices.get("/keys/").content.decode()
        assert secret[0] not in again
        assert key.shown in again
        assert key.digest not in html + again

    def test_the_answer_is_not_kept_by_the_browser(self, alices: Client) -> None:
        response = alices.post("/keys/", {"name": "Shop", "rights": all_rights()})

        assert response["Cache-Control"] == "no-store"

    def test_it_has_only_the_rights_and_flows_that_were_chosen(self, alices: Client) -> None:
        flow, other = Flow.objects.create(name="Clerk"), Flow.objects.create(name="Other")

        new_key(alices, rights=["generate"], flows=[str(flow.pk)])

        key = ApiKey.objects.get()
        assert key.rights == ["generate"]
        assert key.covers(flow)
        assert not key.covers(other)

    def test_the_same_form_again_makes_no_second_key(self, alices: Client) -> None:
        new_key(alices)

        assert "You have a key with this name already." in new_key(alices)
        assert ApiKey.objects.count() == 1

    def test_the_name_of_a_revoked_key_is_free_again(self, alices: Client) -> None:
        new_key(alices)
        ApiKey.objects.get().revoke()

        new_key(alices)

        assert ApiKey.objects.count() == 2

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({"name": " "}, "This field is required."),
            ({"name": "x" * 81}, "at most 80 characters"),
            ({"rights": []}, "Choose at least one right."),
            ({"rights": ["everything"]}, "Select a valid choice."),
            ({"flows": ["nonsense"]}, "is not a valid"),
            ({"flows": ["5b1c7a0e-6a55-4d0c-9f0e-2f2f3d6f5a10"]}, "Select a valid choice."),
        ],
    )
    def test_a_wrong_field_makes_no_key(
        self, alices: Client, fields: dict[str, object], complaint: str
    ) -> None:
        assert complaint in new_key(alices, **fields)
        assert not ApiKey.objects.exists()

    def test_a_key_cannot_be_made_for_somebody_else(self, alices: Client, alice: User, bob: User) -> None:
        new_key(alices, user=bob.pk, user_id=bob.pk, digest="0" * 64)

        assert ApiKey.objects.get().user == alice


class TestList:
    def test_revoking_asks_and_ends_the_key(self, alices: Client, alice: User) -> None:
        key, secret = ApiKey.objects.issue(alice, "Shop")

        assert "Revoke Shop?" in alices.get(f"/keys/{key.pk}/revoke").content.decode()
        response = alices.post(f"/keys/{key.pk}/revoke")

        assert response["Location"] == "/keys/"
        assert ApiKey.objects.of_secret(secret) is None
        assert '<span class="tag">Revoked</span>' in alices.get("/keys/").content.decode()

    def test_revoking_twice_keeps_the_first_time(self, alices: Client, alice: User) -> None:
        key, _ = ApiKey.objects.issue(alice, "Shop")
        alices.post(f"/keys/{key.pk}/revoke")
        key.refresh_from_db()
        first = key.revoked_at

        alices.post(f"/keys/{key.pk}/revoke")

        key.refresh_from_db()
        assert key.revoked_at == first

    def test_a_long_list_needs_no_more_queries_than_a_short_one(self, alices: Client, alice: User) -> None:
        flow = Flow.objects.default()
        counts = []
        for num_keys in (2, 20):
            for n in range(num_keys):
                ApiKey.objects.issue(alice, str(n))[0].flows.set([flow])
            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert alices.get("/keys/").status_code == 200
            counts.append(len(queries))

        assert counts[0] == counts[1] <= 7

    def test_every_tag_of_the_pages_is_closed(self, alices: Client, alice: User) -> None:
        key, _ = ApiKey.objects.issue(alice, "<b>Shop")

        for html in (
            alices.get("/keys/").content.decode(),
            alices.get(f"/keys/{key.pk}/revoke").content.decode(),
            new_key(alices),
        ):
            assert "<b>" not in html
            assert parse(html.replace("<!doctype html>", ""))
