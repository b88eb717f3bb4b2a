"""Runs the GGUF file through llama.cpp on held-out cases and prints a table per skill.

    python -m starter.evaluate models/starter.gguf --count 40 --show-failures 3

An answer counts when it says what is wanted, ended by itself, and called the tool that it should, and no other.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2
from llama_cpp import Llama

from starter.calculator import calculate
from starter.cases import CATEGORIES, Case
from starter.conversation import Conversation, ToolCall, Turn
from starter.draw import Draw
from starter.rendering import compiled, messages_of

_CALL = re.compile(r"<tool_call>\s*(\{.*\})\s*</tool_call>", re.DOTALL)
MAX_TOKENS = 900
MAX_CALLS = 2


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen."""

    label: str
    temperature: float
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05


GREEDY = Sampling("temperature 0", 0.0)
DEFAULT = Sampling("default sampling", 0.7)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model wrote in one turn."""

    text: str
    has_ended: bool
    num_tokens: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case as it went."""

    case: Case
    text: str
    is_right: bool
    has_ended: bool


class Speaker:
    """The model behind its own chat template."""

    def __init__(self, path: Path, sampling: Sampling, num_threads: int) -> None:
        self.llama = Llama(str(path), n_ctx=2048, n_threads=num_threads, seed=7, verbose=False)
        self.template: jinja2.Template = compiled(self.llama.metadata["tokenizer.chat_template"])
        self.sampling = sampling
        self.num_tokens = 0
        self.seconds = 0.0

    def reply(self, conversation: Conversation) -> Reply:
        """The next turn of the assistant."""
        tools = [json.loads(tool) for tool in conversation.tools]
        prompt = self.template.render(
            messages=messages_of(conversation), tools=tools, add_generation_prompt=True
        )
        ids = self.llama.tokenize(prompt.encode(), add_bos=False, special=True)
        written: list[int] = []
        started = time.monotonic()
        sampling = self.sampling
        tokens = self.llama.generate(
            ids,
            temp=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            repeat_penalty=1.0,
        )
        has_ended = False
        for token in tokens:
            if token == self.llama.token_eos():
                has_ended = True
                break
            written.append(token)
            if len(written) >= MAX_TOKENS:
                break
        self.seconds += time.monotonic() - started
        self.num_tokens += len(written)
        return Reply(
            self.llama.detokenize(written, special=True).decode(errors="replace"), has_ended, len(written)
        )


def play(speaker: Speaker, case: Case) -> Outcome:
    """The model's own turns of the case, with the tools really called."""
    turns = (*case.before.turns, case.exchange.turns[0])
    called: list[str] = []
    while True:
        conversation = Conversation(turns, case.before.system, case.before.tools)
        reply = speaker.reply(conversation)
        call = _parse_call(reply.text)
        if call is None or len(called) >= MAX_CALLS:
            break
        called.append(call.name)
        turns = (*turns, Turn("assistant", call=call), Turn("tool", _run(call, case)))
    is_right = (
        reply.has_ended
        and all(re.search(pattern, reply.text, re.IGNORECASE) for pattern in case.exchange.wanted)
        and called == ([case.tool] if case.tool else [])
    )
    return Outcome(case, f"{called or ''} {reply.text}", is_right, reply.has_ended)


def evaluate(speaker: Speaker, count: int) -> dict[str, list[Outcome]]:
    """Outcomes by category."""
    return {
        name: [play(speaker, make(Draw(f"{name}-{number}", held_out=True))) for number in range(count)]
        for name, make in CATEGORIES.items()
    }


def _parse_call(text: str) -> ToolCall | None:
    found = _CALL.search(text)
    if not found:
        return None
    try:
        call = json.loads(found[1])
        return ToolCall(call["name"], call["arguments"])
    except (json.JSONDecodeError, KeyError):
        return None


def _run(call: ToolCall, case: Case) -> str:
    """The calculator works; the clock shows the case's moment, if asked for the right place."""
    if call.name == "calculator":
        try:
            return calculate(call.arguments.get("expression", ""))
        except (ValueError, SyntaxError, ZeroDivisionError, OverflowError, TypeError) as exc:
            return f"error: {exc}"
    expected = next((turn.call for turn in case.exchange.turns if turn.call), None)
    readings = [turn.text for turn in case.exchange.turns if turn.role == "tool"]
    if expected and call == expected and readings:
        return readings[0]
    return "error: unknown time zone"


def _print_table(results: dict[str, dict[str, list[Outcome]]]) -> None:
    print("| skill | " + " | ".join(results) + " |")
    print("|---|" + "---|" * len(results))
    for name in CATEGORIES:
        print(
            f"| {name} | "
            + " | ".join(_share(outcomes[name], _is_right) for outcomes in results.values())
            + " |"
        )
    everything = [
        [outcome for part in outcomes.values() for outcome in part] for outcomes in results.values()
    ]
    print("| **all** | " + " | ".join(_share(outcomes, _is_right) for outcomes in everything) + " |")
    print("| ended by itself | " + " | ".join(_share(outcomes, _has_ended) for outcomes in everything) + " |")


def _share(outcomes: list[Outcome], holds: Callable[[Outcome], bool]) -> str:
    return f"{100 * sum(map(holds, outcomes)) / len(outcomes):.1f} %"


def _is_right(outcome: Outcome) -> bool:
    return outcome.is_right


def _has_ended(outcome: Outcome) -> bool:
    return outcome.has_ended


def _print_failures(outcomes: dict[str, list[Outcome]], count: int) -> None:
    for name, part in outcomes.items():
        for outcome in [outcome for outcome in part if not outcome.is_right][:count]:
            asked = outcome.case.exchange.turns[0].text
            wanted = outcome.case.exchange.turns[-1].text
            print(f"\n--- {name}\nASKED  {asked}\nGOT    {outcome.text.strip()}\nWANTED {wanted}")


def main() -> None:
    """Evaluates and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--count", type=int, default=40, help="cases per skill")
    parser.add_argument(
        "--show-failures", type=int, default=0, help="failures to print per skill, at temperature 0"
    )
    parser.add_argument("--threads", type=int, default=2, help="one is faster on a busy machine")
    parser.add_argument("--greedy-only", action="store_true")
    options = parser.parse_args()
    results: dict[str, dict[str, list[Outcome]]] = {}
    for sampling in (GREEDY,) if options.greedy_only else (GREEDY, DEFAULT):
        speaker = Speaker(options.path, sampling, options.threads)
        results[sampling.label] = evaluate(speaker, options.count)
        speed = speaker.num_tokens / speaker.seconds
        print(f"{sampling.label}: {speaker.num_tokens} tokens written, {speed:.0f} tokens/s with prompts")
    _print_table(results)
    _print_failures(results[GREEDY.label], options.show_failures)


if __name__ == "__main__":
    main()
