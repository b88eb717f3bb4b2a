"""What it costs that calls are held to their tools: a model with tools offered, and with the same prompt but none.

Run from the root, on an otherwise idle machine: `.venv/bin/python -m bench.tool_calls [--model FILE] [--rounds N]`.
The model has to write turns as ChatML does, as the starter model and Qwen do. Both write the same tokens in turns
(A B A B). "beside decode" is what the engine itself does for a token: it shows a difference that is far below the
noise of tokens per second.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chat.domain.messages import ChatMessage, ToolSpec
from chat.domain.params import GenerationRequest, SamplingParams
from chat.engine.backend import Chunk, Logits
from chat.engine.chat_template import ChatTemplate
from chat.engine.config import EngineConfig
from chat.engine.generation import Job, Update
from chat.engine.gguf import read_metadata
from chat.engine.loading import LoadedModel, load_model
from chat.engine.step_loop import StepLoop

ROOT = Path(__file__).resolve().parent.parent
TOOLS = (
    ToolSpec(
        "calculator",
        "Work out an arithmetic expression.",
        {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]},
    ),
    ToolSpec(
        "search_documents",
        "Find passages in the person's documents.",
        {
            "type": "object",
            "properties": {
                "query": {"type": "string"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 20},
            },
            "required": ["query"],
        },
    ),
)
# The question, and what the reply has begun with: nothing, or the mark of a call.
SCENARIOS = {
    "words": ("Tell me about the sea.", ""),
    "a call": ("What is 37 * 48?", "<tool_call>"),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """One reply, from its first token on: tokens per second, and processor time of a token beside its decode."""

    num_tokens: int
    tokens_per_s: float
    beside_us: float


class Bench:
    """One model that writes one reply at a time."""

    def __init__(self, model: LoadedModel) -> None:
        self._decode = model.backend.decode
        model.backend.decode = self._timed_decode  # type: ignore[method-assign]
        self._loop = StepLoop(model, EngineConfig(), self._take)
        self._num_jobs = self._num_tokens = 0
        self._decode_s = 0.0
        self._is_done = False

    def run(self, request: GenerationRequest) -> Cost:
        """Write one reply; its prompt and its first token do not count."""
        self._num_jobs += 1
        self._num_tokens, self._is_done = 0, False
        self._loop.add(Job(self._num_jobs, request))
        while not self._num_tokens:
            self._loop.step()
        self._decode_s, self._num_tokens = 0.0, 0
        started_at, thread_s = time.perf_counter(), time.thread_time()
        while not self._is_done:
            self._loop.step()
        elapsed_s, own_s = time.perf_counter() - started_at, time.thread_time() - thread_s - self._decode_s
        num_tokens = max(1, self._num_tokens)
        return Cost(num_tokens, num_tokens / elapsed_s, 1e6 * own_s / num_tokens)

    def _timed_decode(self, chunks: Sequence[Chunk]) -> Logits:
        started_s = time.thread_time()
        logits = self._decode(chunks)
        self._decode_s += time.thread_time() - started_s
        return logits

    def _take(self, updates: list[Update]) -> None:
        for update in updates:
            self._num_tokens += len(update.token_ids)
            self._is_done |= update.is_final


def main() -> None:
    """Print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "starter.gguf")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    bench = Bench(load_model(options.model, EngineConfig()))
    shown = tools_as_shown(options.model)
    print(f"{'medians':10} {'tools':>8} {'tokens':>7} {'tokens/s':>9} {'us per token beside decode':>27}")
    for name, (question, begun) in SCENARIOS.items():
        asked = request(question, begun)
        costs: dict[str, list[Cost]] = {"none": [], "offered": []}
        for seed in range(options.rounds + 1):
            params = replace(asked.params, seed=seed)
            words = (ChatMessage.of("system", shown), *asked.messages)
            plain = bench.run(replace(asked, params=params, tools=(), messages=words))
            offered = bench.run(replace(asked, params=params))
            if seed:  # the first round warms up
                costs["none"].append(plain)
                costs["offered"].append(offered)
        for label, found in costs.items():
            tokens, speed, beside = (
                statistics.median(part)
                for part in zip(*((c.num_tokens, c.tokens_per_s, c.beside_us) for c in found), strict=True)
            )
            print(f"{name:10} {label:>8} {tokens:7.0f} {speed:9.1f} {beside:27.1f}")


def tools_as_shown(model: Path) -> str:
    """What the model's template writes about the tools, without its system turn."""
    template = ChatTemplate(read_metadata(model).chat_template or "")
    prompt = template.render([ChatMessage.of("user", "Hi")], TOOLS)
    return prompt.partition("<|im_start|>system\n")[2].partition("<|im_end|>")[0]


def request(question: str, begun: str) -> GenerationRequest:
    """The question with the tools offered."""
    params = SamplingParams(temperature=0.8, max_tokens=200)
    return GenerationRequest((ChatMessage.of("user", question),), params, TOOLS, reply_prefix=begun)


if __name__ == "__main__":
    main()
