"""One worker of a training run: all share the weights, and each takes pieces of the step's batch as it gets to them.

On a busy machine a worker whose core is taken by somebody else simply does fewer pieces, where two threads of one
PyTorch would wait for one another at every matrix product.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from starter.batches import Batch, batches
from starter.corpus import MIXES
from starter.network import Network, Shape
from starter.optimizers import adam_update, muon_update
from starter.plan import Plan
from starter.precision import is_bf16_faster

AVERAGE_DECAY = 0.995
LOG_EVERY = 10
Tensors = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class State:
    """What a checkpoint holds, in memory that all workers share; `progress` is (step, tokens seen)."""

    weights: Tensors
    average: Tensors
    momentum: Tensors
    variance: Tensors
    progress: Tensor

    @classmethod
    def start(cls, weights: Tensors) -> State:
        """The state before the first step."""
        zeros = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        others = {
            name: torch.zeros_like(weight) for name, weight in weights.items() if not is_matrix(name, weight)
        }
        average = {name: weight.clone() for name, weight in weights.items()}
        return cls(weights, average, zeros, others, torch.zeros(2, dtype=torch.int64))

    @classmethod
    def load(cls, path: Path) -> State:
        """The state of a checkpoint."""
        return cls(**torch.load(path, map_location="cpu", weights_only=True))

    def on(self, device: torch.device) -> State:
        """The same on a device; the progress stays where it is."""
        tables = (self.weights, self.average, self.momentum, self.variance)
        return State(
            *({name: tensor.to(device) for name, tensor in table.items()} for table in tables), self.progress
        )

    def save(self, path: Path) -> None:
        """Writes the checkpoint, whole or not at all."""
        unfinished = path.with_suffix(".new")
        torch.save({name: getattr(self, name) for name in self.__slots__}, unfinished)
        unfinished.replace(path)


@dataclass(frozen=True, slots=True)
class Crew:
    """What the workers share beside the state: their gradients, losses, a counter of pieces, a meeting point."""

    size: int
    gradients: tuple[Tensors, ...]
    losses: Tensor
    pieces_taken: Any  # multiprocessing.Value, whose class has no public name
    meeting: Barrier


class Worker:
    """One process of a run."""

    def __init__(self, rank: int, plan: Plan, state: State, crew: Crew) -> None:
        self.rank, self.plan, self.state, self.crew = rank, plan, state, crew
        self.device = state.weights["embedding.weight"].device
        self.tokenizer = Tokenizer.from_file(str(plan.folder / "tokenizer.json"))
        self.network = Network(Shape())
        for name, parameter in self.network.named_parameters():
            parameter.data = state.weights[name]
            parameter.grad = crew.gradients[rank][name]
        if plan.is_compiled:
            self.network.compile(dynamic=False)
        self.own_names = sorted(state.weights, key=lambda name: state.weights[name].numel())[
            rank :: crew.size
        ]
        self.last_log = (time.monotonic(), 0)

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.state.progress[0])

    def run(self) -> None:
        """Trains to the plan's last step."""
        while (step := self.step) < self.plan.steps:
            self._add_gradients(step)
            self.crew.meeting.wait()
            self._update_own_weights(step)
            self.crew.meeting.wait()
            if self.rank == 0:
                self._finish(step)
            self.crew.meeting.wait()

    def _add_gradients(self, step: int) -> None:
        """Takes pieces of the step's batch until none is left."""
        while (piece := self._take_piece()) < self.plan.num_pieces:
            loss = loss_of(self.network, self._batch(step, piece).to(self.device))
            (loss / self.plan.num_pieces).backward()
            self.crew.losses[self.rank] += float(loss.detach()) / self.plan.num_pieces

    def _take_piece(self) -> int:
        with self.crew.pieces_taken.get_lock():
            self.crew.pieces_taken.value += 1
            return int(self.crew.pieces_taken.value) - 1

    def _batch(self, step: int, piece: int) -> Batch:
        window = self.plan.window_at(step)
        num_rows = max(1, self.plan.tokens_per_piece // window)
        return next(
            batches(
                self.tokenizer, f"{self.plan.seed}-{step}-{piece}", num_rows, window, MIXES[self.plan.mix]
            )
        )

    @torch.no_grad()
    def _update_own_weights(self, step: int) -> None:
        share = self.plan.rate_at(step)
        decay = min(AVERAGE_DECAY, (step + 1) / (step + 11))
        for name in self.own_names:
            weight, momentum = self.state.weights[name], self.state.momentum[name]
            gradient = torch.stack([gradients[name] for gradients in self.crew.gradients]).sum(0)
            if is_matrix(name, weight):
                muon_update(weight, gradient, momentum, self.plan.matrix_rate * share)
            else:
                variance = self.state.variance[name]
                adam_update(weight, gradient, momentum, variance, self.plan.other_rate * share, step + 1)
            self.state.average[name].lerp_(weight, 1 - decay)
            for gradients in self.crew.gradients:
                gradients[name].zero_()

    def _finish(self, step: int) -> None:
        """Counts the step, logs, saves."""
        self.state.progress.add_(torch.tensor([1, self.plan.tokens_per_step]))
        self.crew.pieces_taken.value = 0
        done = step + 1
        if done % LOG_EVERY == 0:
            self._log(done)
        self.crew.losses.zero_()
        if done % self.plan.checkpoint_every == 0 or done == self.plan.steps:
            self.state.save(self.plan.folder / "checkpoint.pt")

    def _log(self, step: int) -> None:
        now, num_tokens = time.monotonic(), int(self.state.progress[1])
        seconds, before = now - self.last_log[0], self.last_log[1]
        self.last_log = (now, num_tokens)
        figures = {
            "step": step,
            "million_tokens": round(num_tokens / 1e6, 2),
            "loss": round(float(self.crew.losses.sum()), 4),
            "tokens_per_s": round((num_tokens - before) / seconds) if before else None,
        }
        print(json.dumps(figures), flush=True)


def is_matrix(name: str, weight: Tensor) -> bool:
    """Whether Muon updates it; the embedding is a table, not a map."""
    return weight.dim() == 2 and not name.startswith("embedding")


def loss_of(network: Network, batch: Batch) -> Tensor:
    """Weighted mean of the cross-entropy of the tokens that are learnt; bf16 where that is safe and faster."""
    weights = batch.weights.flatten()
    is_learnt = weights > 0
    device = batch.inputs.device.type
    with torch.autocast(device, torch.bfloat16, enabled=is_bf16_faster(device)):
        states = network(batch.inputs, batch.conversation).flatten(0, 1)[is_learnt]
        logits = functional.linear(states, network.embedding.weight)
    losses = functional.cross_entropy(logits.float(), batch.targets.flatten()[is_learnt], reduction="none")
    return (losses * weights[is_learnt]).sum() / weights[is_learnt].sum()
