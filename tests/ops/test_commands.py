"""`manage.py flow` and `manage.py apikey`."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chat.models import ApiKey, Flow, User
from chat.models.flow import DEFAULT_FLOW_ID

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def models_dir(settings: Any, tmp_path: Path, tiny_models_dir: Path) -> None:
    settings.PARLEY_MODELS_DIR = tiny_models_dir


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss", password="a-long-password-4")


def said(*words: str) -> str:
    """What the command prints."""
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


class TestFlow:
    def test_create_prints_the_id_alone(self) -> None:
        printed = said("flow", "create", "--name", "Clerk")

        assert printed == f"{Flow.objects.get(name='Clerk').pk}\n"

    def test_a_flow_with_everything_comes_back_as_json(self) -> None:
        words = (
            "flow create --name Clerk --model tiny --system Sell --tool clock --tool calculator --require-key"
        )
        origins = ["--origin", "https://shop.example", "--origin", "*"]

        made = json.loads(said(*words.split(), *origins, "--json"))

        assert (made["name"], made["model"], made["system_prompt"]) == ("Clerk", "tiny", "Sell")
        assert made["tools"] == ["clock", "calculator"]
        assert made["allowed_origins"] == ["https://shop.example", "*"]
        assert made["requires_key"] is True
        assert json.loads(said("flow", "show", made["id"], "--json")) == made
        assert json.loads(said("flow", "list", "--json"))[1] == made

    def test_without_tool_it_has_every_tool(self) -> None:
        assert json.loads(said("flow", "create", "--name", "Clerk", "--json"))["tools"] is None

    def test_list_shows_the_flow_of_a_fresh_install(self) -> None:
        assert said("flow", "list") == f"{DEFAULT_FLOW_ID}  Parley\n"

    def test_show_prints_a_line_for_each_field(self) -> None:
        lines = said("flow", "show", said("flow", "create", "--name", "Clerk").strip()).splitlines()

        assert "name: Clerk" in lines
        assert "tools: null" in lines

    def test_delete_deletes(self) -> None:
        flow_id = said("flow", "create", "--name", "Clerk").strip()

        said("flow", "delete", flow_id)

        assert not Flow.objects.filter(pk=flow_id).exists()

    def test_the_flow_of_a_fresh_install_stays(self) -> None:
        Flow.objects.default()

        with pytest.raises(CommandError, match="belongs to the server"):
            said("flow", "delete", str(DEFAULT_FLOW_ID))

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            (["--name", ""], "--name: This field is required."),
            (["--name", "Parley"], "--name: Another flow has this name already."),
            (["--name", "a", "--model", "gone"], "--model: There is no model “gone”."),
            (["--name", "a", "--tool", "shell"], "--tool: There is no tool “shell” on this server."),
            (["--name", "a", "--origin", "shop.example"], "--origin: “shop.example” is no origin"),
            (["--name", "a", "--system", "x" * 20_001], "--system: Ensure this value has at most 20000"),
            (["--name", "a", "--collection", "manuals"], "--collection: there is none called"),
            ([], "--name"),
        ],
    )
    def test_a_wrong_option_is_named_and_nothing_is_made(self, words: list[str], complaint: str) -> None:
        with pytest.raises(CommandError, match=complaint):
            said("flow", "create", *words)

        assert not Flow.objects.exclude(pk=DEFAULT_FLOW_ID).exists()

    @pytest.mark.parametrize("flow_id", ["nonsense", "342f167e-d57b-4e43-8456-a56bebf0361b"])
    @pytest.mark.parametrize("verb", ["show", "delete"])
    def test_an_unknown_flow_is_told(self, verb: str, flow_id: str) -> None:
        with pytest.raises(CommandError, match=f"There is no flow {flow_id}"):
            said("flow", verb, flow_id)


class TestApiKey:
    def test_create_prints_only_the_key_of_the_one_administrator(self, boss: User) -> None:
        printed = said("apikey", "create", "Shop")

        key = ApiKey.objects.of_secret(printed.strip())
        assert key is not None
        assert (key.user, key.name, printed.count("\n")) == (boss, "Shop", 1)

    def test_it_can_be_for_another_account_and_some_flows(self, boss: User) -> None:
        clerk = User.objects.create_user("clerk")
        flow, other = Flow.objects.create(name="Clerk"), Flow.objects.create(name="Other")

        secret = said("apikey", "create", "Shop", "--user", "clerk", "--flow", str(flow.pk)).strip()

        key = ApiKey.objects.of_secret(secret)
        assert key is not None
        assert key.user == clerk
        assert key.covers(flow)
        assert not key.covers(other)

    def test_without_an_administrator_one_must_be_named(self) -> None:
        with pytest.raises(CommandError, match=r"There is no administrator: .* --user NAME"):
            said("apikey", "create", "Shop")

    def test_with_two_administrators_one_must_be_named(self, boss: User) -> None:
        User.objects.create_superuser("second")

        with pytest.raises(CommandError, match="more than one administrator"):
            said("apikey", "create", "Shop")

    @pytest.mark.parametrize(
        "words", [["Shop", "--user", "nobody"], ["Shop", "--flow", "nonsense"], [" "], ["x" * 81]]
    )
    def test_a_wrong_word_makes_no_key(self, boss: User, words: list[str]) -> None:
        with pytest.raises(CommandError):
            said("apikey", "create", *words)

        assert not ApiKey.objects.exists()

    def test_list_never_shows_a_secret(self, boss: User) -> None:
        secret = said("apikey", "create", "Shop").strip()
        key = ApiKey.objects.get()

        plain, listed = said("apikey", "list"), json.loads(said("apikey", "list", "--json"))

        assert plain == f"{key.pk}  {key.shown}…  boss  Shop\n"
        assert (listed[0]["id"], listed[0]["user"], listed[0]["revoked_at"]) == (key.pk, "boss", None)
        assert secret not in plain + json.dumps(listed)
        assert key.digest not in json.dumps(listed)

    def test_revoke_ends_the_key(self, boss: User) -> None:
        secret = said("apikey", "create", "Shop").strip()

        said("apikey", "revoke", str(ApiKey.objects.get().pk))

        assert ApiKey.objects.of_secret(secret) is None
        assert "(revoked)" in said("apikey", "list")

    @pytest.mark.parametrize("key_id", ["7", "x", "9" * 30])
    def test_an_unknown_key_is_told(self, key_id: str) -> None:
        with pytest.raises(CommandError, match="There is no API key"):
            said("apikey", "revoke", key_id)
