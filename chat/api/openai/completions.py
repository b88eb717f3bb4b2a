"""POST /v1/completions: the model goes on after a text, with no chat template in between."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from functools import partial

from django.http import HttpRequest, HttpResponseBase

from chat.api.openai.answering import Question, answer, answer_id, for_choices
from chat.api.openai.completions_encode import CompletionEncoder, CompletionStyle
from chat.api.openai.errors import error_body
from chat.api.openai.operations import COMPLETION
from chat.api.openai.sampling import MAX_CHOICES, sampling_of, with_length
from chat.api.openai.target import Target, target_for
from chat.domain.errors import InvalidInput
from chat.domain.params import GenerationRequest
from chat.http.api import api_view
from chat.http.body import Fields, json_object
from chat.http.detached import Idempotency
from chat.http.openapi import documented
from chat.runs.task import Task

MAX_PROMPTS = 16
MAX_LOGPROBS = 5
DEFAULT_TOKENS = 16  # OpenAI's own


@documented(COMPLETION)
@api_view("POST", error_body=partial(error_body, prompt_field="prompt"))
async def completions(request: HttpRequest) -> HttpResponseBase:
    """What comes after a text."""
    return await answer(request, parse)


def parse(request: HttpRequest) -> Question:
    """Raises: ChatError that names the field."""
    fields = Fields(json_object(request))
    target = target_for(request, fields)
    if target.flow is not None:
        raise InvalidInput("A flow answers messages: ask it at /v1/chat/completions.", field="model")
    idempotency = Idempotency.of(request, target.caller)
    num_choices = fields.integer("n", 1, MAX_CHOICES, 1) or 1
    prompts = _prompts(fields)
    _refuse_what_is_not_there(fields)
    is_stream = fields.boolean("stream")
    options = fields.object("stream_options")
    is_echo = fields.boolean("echo")
    num_logprobs = fields.integer("logprobs", 0, MAX_LOGPROBS)
    if is_echo and num_logprobs is not None:
        fields.refuse("logprobs", "cannot be had together with echo: prompts are not scored")
    style = CompletionStyle(
        id=answer_id("cmpl-", idempotency),
        created=int(time.time()),
        model=target.name,
        echoes=tuple(prompt if is_echo else "" for prompt in prompts for _ in range(num_choices)),
        num_same=num_choices,
        has_logprobs=num_logprobs is not None,
        has_usage_chunk=is_stream and options is not None and options.boolean("include_usage"),
    )
    tasks = [for_choices(_task(fields, target, prompt, num_logprobs), num_choices) for prompt in prompts]
    return Question(tuple(itertools.chain(*tasks)), idempotency, CompletionEncoder(style), is_stream)


def _prompts(fields: Fields) -> list[str]:
    value = fields.raw("prompt")
    prompts = value if isinstance(value, list) else [fields.text("prompt")]
    if not 1 <= len(prompts) <= MAX_PROMPTS:
        fields.refuse("prompt", f"must have 1 to {MAX_PROMPTS} items")
    for prompt in prompts:
        if not isinstance(prompt, str):
            fields.refuse("prompt", "must be a string or a list of strings; token numbers are not taken")
        if not prompt:
            fields.refuse("prompt", "must not be empty")
    return prompts


def _refuse_what_is_not_there(fields: Fields) -> None:
    if fields.text("suffix", ""):
        fields.refuse("suffix", "is not supported")
    if (best_of := fields.integer("best_of", 1, 20)) is not None and best_of > (fields.raw("n") or 1):
        fields.refuse("best_of", "is not supported beyond n")


def _task(fields: Fields, target: Target, prompt: str, num_logprobs: int | None) -> Task:
    params = replace(sampling_of(fields, target.params), max_tokens=DEFAULT_TOKENS)
    params = with_length(fields, params, target.longest, "max_tokens")
    request = GenerationRequest(
        params=params,
        scope=target.caller.actor.scope,
        prompt=prompt,
        top_logprobs=num_logprobs,
        is_alone=fields.boolean("deterministic"),
    )
    return Task(request, target.model, is_trimmed=False)
