"""What an answer was made with is written down when it begins."""

from __future__ import annotations

import hashlib
import uuid

import pytest

from chat.models import Actor, Run
from chat.runs.recipe import Recipe
from chat.runs.rounds import events_of, first_request, rounds_of
from chat.runtime import Runtime
from tests.conftest import wait_for_end, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def finished(runtime: Runtime, actor: Actor, **settings: object) -> Run:
    run = runtime.runs.start_conversation(
        actor, "Hello", key=uuid.uuid4(), params={"sampling": settings, "system_prompt": "Be brief."}
    )
    return wait_for_end(run)


def recipe_of(run: Run) -> Recipe:
    recipe = Recipe.from_dict(run.recipe)
    assert recipe is not None
    return recipe


def test_it_holds_what_cannot_be_found_again(runtime: Runtime, alices_actor: Actor) -> None:
    run = finished(runtime, alices_actor, temperature=0.3, stop=["END"])

    recipe = recipe_of(run)
    assert recipe.system_prompt == "Be brief."
    assert (recipe.params.temperature, recipe.params.stop) == (0.3, ("END",))
    offered = [tool.name for tool in recipe.tools]
    assert "calculator" in offered
    assert "search_documents" not in offered  # there are none
    assert [record.name for record in recipe.files] == ["tiny.gguf"]
    assert recipe.build.startswith("llama-cpp-python ")
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_a_seed_is_drawn_when_none_is_given(runtime: Runtime, alices_actor: Actor) -> None:
    seeds = [recipe_of(finished(runtime, alices_actor)).params.seed for _ in range(2)]
    given = recipe_of(finished(runtime, alices_actor, seed=7)).params.seed

    assert given == 7
    assert None not in seeds
    assert seeds[0] != seeds[1]


def test_the_models_hash_is_told_later_when_it_was_not_known_yet(
    runtime: Runtime, alices_actor: Actor
) -> None:
    recipe = recipe_of(finished(runtime, alices_actor))

    def digest() -> str:
        return runtime.recipes.with_digests(recipe, "tiny").files[0].sha256

    wait_until(digest)
    assert digest() == hashlib.sha256((runtime.conf.models_dir / "tiny.gguf").read_bytes()).hexdigest()
    assert runtime.recipes.has_same_files(recipe, "tiny")


def test_the_prompt_made_again_has_as_many_tokens_as_it_had(runtime: Runtime, alices_actor: Actor) -> None:
    run = finished(runtime, alices_actor)
    events = events_of(run)

    request = first_request(run, recipe_of(run), events)

    assert run.usage_report
    assert runtime.registry.get("tiny").count_tokens(request) == run.usage_report.prompt_tokens
    (only,) = rounds_of(run, events)
    assert (only.before, only.after) == ((), run.reply.content)
