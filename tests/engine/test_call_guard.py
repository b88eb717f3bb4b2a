"""Calls held to their tools while they are written, and everything else left free."""

from __future__ import annotations

import pytest

from chat.domain.messages import ToolCall, ToolSpec
from chat.engine.call_formats import TAGGED
from chat.engine.call_guard import CallGrammars, CallGuard
from chat.engine.call_sampler import CallSampler
from chat.engine.chat_template import CHATML_TEMPLATE, ChatTemplate
from chat.engine.config import EngineConfig
from chat.engine.generation import Job, Update
from chat.engine.grammar_sampler import Vocabulary
from chat.engine.loading import LoadedModel
from chat.engine.marker_parser import OpenCall
from chat.engine.pieces import CallPiece, EndPiece, ReasoningPiece, TextPiece
from chat.engine.sampling import GreedySampler
from chat.engine.step_loop import StepLoop
from tests.engine.fake_backend import FakeBackend
from tests.engine.scripted_backend import ScriptedBackend
from tests.engine.talk import ask
from tests.engine.tool_specs import NOW, TOOLS, keeps_to

SPOT = ToolSpec(
    "get_weather",
    "Weather",
    {
        "type": "object",
        "properties": {"city": {"enum": ["Rome", "Oslo"]}, "days": {"type": "integer", "maximum": 9}},
        "required": ["city"],
        "additionalProperties": False,
    },
)


class Heard:
    """What came of one reply of a model that wants to write `script`."""

    def __init__(self, family: str, script: str, tools: tuple[ToolSpec, ...], **request: object) -> None:
        self.text = self.reasoning = ""
        self.calls: list[ToolCall] = []
        self.end: EndPiece | None = None
        model = LoadedModel(ScriptedBackend(script), ChatTemplate(CHATML_TEMPLATE), family)
        loop = StepLoop(model, EngineConfig(), self._take)
        loop.add(Job(1, ask("hello", tools=tools, max_tokens=900, **request)))
        while self.end is None:
            loop.step()

    def _take(self, updates: list[Update]) -> None:
        for update in updates:
            assert update.error is None
            for piece in update.pieces:
                match piece:
                    case TextPiece(text):
                        self.text += text
                    case ReasoningPiece(text):
                        self.reasoning += text
                    case CallPiece(call):
                        self.calls.append(call)
                    case EndPiece():
                        self.end = piece


HELD = {
    "a tool that was made up": (
        "hermes",
        '<tool_call>\n{"name": "google", "arguments": {"q": "weather"}}\n</tool_call>',
    ),
    "a value that is not allowed": (
        "hermes",
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>',
    ),
    "an argument that is missing": (
        "hermes",
        '<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>',
    ),
    "a call that is not finished": ("hermes", '<tool_call>{"name": "get_weather", "argum'),
    "words in a call": ("hermes", "Hm.\n<tool_call>\nget the weather of Rome</tool_call>"),
    "one bracket too few": (
        "hermes",
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Rome"}</tool_call>',
    ),
    "llama": ("llama3", '{"name": "get_weather", "parameters": {"town": "Rome"}}'),
    "llama behind its mark": ("llama3", '<|python_tag|>weather.get(city="Rome")'),
    "mistral": ("mistral", '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Rome"}}]'),
    "mistral with names": ("mistral-args", '[TOOL_CALLS]get_wether[ARGS]{"city": 1}'),
    "gemma": ("gemma4", '<|tool_call>call:get_weather{town:<|"|>Rome<|"|>}<tool_call|>'),
    "deepseek": ("deepseek", '<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜>'),
    "gpt-oss": (
        "gpt-oss",
        "<|channel|>analysis<|message|>to=x <tool_call>?<|end|><|start|>assistant<|channel|>commentary "
        'to=browser.search <|constrain|>json<|message|>{"q": 1}<|call|>',
    ),
    "qwen coder": (
        "qwen-coder",
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>",
    ),
    "glm": (
        "glm",
        "<tool_call>get_weather\n<arg_key>town</arg_key>\n<arg_value>Rome</arg_value>\n</tool_call>",
    ),
    "lfm2": ("lfm2", '<|tool_call_start|>[get_weather(city="Paris", days=3)]<|tool_call_end|>'),
    "kimi": (
        "kimi",
        '<|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{"city": "Rome"}<|tool_call_end|>',
    ),
}


@pytest.mark.parametrize("name", HELD)
def test_a_call_that_would_go_wrong_comes_out_right(name: str) -> None:
    family, script = HELD[name]

    heard = Heard(family, script, (SPOT,))

    assert [call.name for call in heard.calls] == ["get_weather"], heard.text
    assert heard.calls[0].arguments["city"] in ("Rome", "Oslo")
    assert heard.end is not None
    assert heard.end.reason == "tool_calls"


FREE = {
    "words": ("hermes", 'It is 5 < 6, and {"name": "x"} is JSON.'),
    "another mark": ("hermes", "<toolcall>{no}</toolcall>"),
    "a call in thoughts": ("hermes", "<think>\n<tool_call>{no}</tool_call>\n</think>\n\nYes."),
    "an answer in JSON": ("llama3", '{"city": "Rome", "name": "get_weather"}'),
    "an answer in JSON with a name": ("llama3", '{"name": "Bo", "age": 3}'),
    "a name with its type": ("llama3", '{"type": "function", "name": "other"}'),
    "a family's word in another": ("hermes", "Write [TOOL_CALLS] first."),
}


@pytest.mark.parametrize("name", FREE)
def test_what_is_no_call_stays_as_it_is(name: str) -> None:
    family, script = FREE[name]

    heard = Heard(family, script, (SPOT,))

    assert heard.calls == []
    assert script.endswith(heard.text)
    assert heard.text + heard.reasoning


def test_a_right_call_is_not_touched_and_the_words_around_it_are_free() -> None:
    call = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome", "days": 3}}\n</tool_call>'

    heard = Heard("hermes", f"I look.\n{call}\n{call}\nDone {{x}}.", (NOW, SPOT))

    assert [dict(call.arguments) for call in heard.calls] == [{"city": "Rome", "days": 3}] * 2
    assert heard.text == "I look.Done {x}."


def test_without_tools_a_call_is_free() -> None:
    heard = Heard("hermes", '<tool_call>{"name": "x", "arguments": {}}</tool_call>', ())

    assert [call.name for call in heard.calls] == ["x"]


def test_a_grammar_of_the_request_comes_first() -> None:
    heard = Heard("hermes", "<tool_call>{}", (SPOT,), grammar='root ::= "<tool_call>{}"')

    assert (heard.text, heard.calls) == ("<tool_call>{}", [])


def test_going_on_in_the_middle_of_a_call_completes_it() -> None:
    heard = Heard("hermes", "", (SPOT,), reply_prefix='I look. <tool_call>\n{"name": "get_w')

    assert [call.name for call in heard.calls] == ["get_weather"]
    assert heard.text == ""


class TestTrigger:
    def follow(self, inside: str, pending: bytes = b"") -> CallSampler:
        sampler = CallSampler(GreedySampler(), Vocabulary(FakeBackend()))
        CallGuard(TOOLS, CallGrammars(), sampler).follow(OpenCall(1, TAGGED, inside), pending)
        return sampler

    @pytest.mark.parametrize("inside", ["", "\n", ' {"na', '{"name": "say", "arguments": {"text": "ä'])
    def test_the_rest_of_its_token_begins_the_call(self, inside: str) -> None:
        assert self.follow(inside).is_held

    @pytest.mark.parametrize("inside", ["` says that", '{"x', "</tool_call>"])
    def test_a_rest_that_cannot_begin_one_leaves_the_reply_free(self, inside: str) -> None:
        assert not self.follow(inside).is_held

    def test_bytes_that_are_held_back_count(self) -> None:
        assert self.follow("", '\n{"name": "say", "arguments": {"text": "ä'.encode()[:-1]).is_held
        assert not self.follow("", b"\nno").is_held

    def test_the_end_of_the_call_ends_it(self) -> None:
        sampler = CallSampler(GreedySampler(), Vocabulary(FakeBackend()))
        guard = CallGuard(TOOLS, CallGrammars(), sampler)
        guard.follow(OpenCall(1, TAGGED, ""), b"")

        guard.follow(None, b"")

        assert not sampler.is_held


def test_neighbours_do_not_feel_it() -> None:
    """Two replies at once: one is held to a call, one writes freely."""
    script = '<tool_call>{"name": "google"}</tool_call>'
    backend = ScriptedBackend(script, num_slots=2)
    updates: list[Update] = []
    loop = StepLoop(
        LoadedModel(backend, ChatTemplate(CHATML_TEMPLATE), "hermes"), EngineConfig(), updates.extend
    )

    loop.add(Job(1, ask("hello", tools=TOOLS, max_tokens=900)))
    loop.add(Job(2, ask("hello", scope="bob", max_tokens=900)))
    while sum(update.is_final for update in updates) < 2:
        loop.step()

    pieces = {
        job: [piece for update in updates if update.job_id == job for piece in update.pieces]
        for job in (1, 2)
    }
    (call,) = (piece.call for piece in pieces[1] if isinstance(piece, CallPiece))
    assert keeps_to(call)
    assert "".join(piece.text for piece in pieces[2] if isinstance(piece, TextPiece)) == ""
    assert [piece.call.name for piece in pieces[2] if isinstance(piece, CallPiece)] == ["google"]
