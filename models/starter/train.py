"""Trains the starter model on streamed samples; writes checkpoints and goes on from them.

    python -m starter.train --folder /path/to/run --steps 4000               from nothing
    python -m starter.train --folder /path/to/run --steps 8000 --resume      from the folder's checkpoint
    python -m starter.train --folder /path/to/run --init models/starter.gguf from a published model

Windows are short first and reach the full context at the end (`--phases 256+512:0.85,256+512+2048:0.15`: windows that
take turns, and the phase's share of the steps). The learning rate is constant and falls to nothing over the last third.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import multiprocessing

from starter.corpus import MIXES
from starter.gguf_file import read_gguf
from starter.network import Network, Shape
from starter.plan import Phase, Plan
from starter.tokenizer import learn_tokenizer
from starter.trainer import Crew, State, Worker


def main() -> None:
    """Trains."""
    # Two gangs of threads that wait actively for one another stand still on a busy machine.
    os.environ.update(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0", TOKENIZERS_PARALLELISM="false")
    options = _options()
    plan = Plan(
        folder=options.folder,
        steps=options.steps,
        tokens_per_step=options.tokens_per_step,
        tokens_per_piece=options.tokens_per_piece,
        phases=tuple(map(Phase.parse, options.phases.split(","))),
        seed=options.seed,
        mix=options.mix,
        matrix_rate=options.matrix_rate,
        other_rate=options.other_rate,
        checkpoint_every=options.checkpoint_every,
        is_compiled=options.compile,
    )
    plan.folder.mkdir(parents=True, exist_ok=True)
    if torch.cuda.is_available():
        state = _state(options).on(torch.device("cuda"))
        Worker(0, plan, state, _crew(state, 1)).run()
    else:
        state = _state(options)
        crew = _crew(state, options.workers)
        multiprocessing.start_processes(_work, (plan, state, crew), nprocs=crew.size, start_method="spawn")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=Path, required=True, help="where checkpoints and the tokenizer are kept"
    )
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--tokens-per-step", type=int, default=8192)
    parser.add_argument("--tokens-per-piece", type=int, default=2048)
    parser.add_argument("--phases", default="256+512:0.85,256+512+2048:0.15")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--mix", choices=MIXES, default="copying", help="shares of the skills")
    parser.add_argument("--matrix-rate", type=float, default=0.02)
    parser.add_argument("--other-rate", type=float, default=0.003)
    parser.add_argument("--checkpoint-every", type=int, default=100)
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes of one thread each"
    )
    parser.add_argument(
        "--compile", action="store_true", help="fuse the small operations: a minute first, then faster"
    )
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--init", type=Path, help="a GGUF of this recipe to start from")
    return parser.parse_args()


def _state(options: argparse.Namespace) -> State:
    """The checkpoint's, or that of published or fresh weights, whose tokenizer is put into the folder."""
    folder: Path = options.folder
    if options.resume:
        return State.load(folder / "checkpoint.pt")
    weights, tokenizer = read_gguf(options.init) if options.init else (_fresh_weights(), _tokenizer(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    return State.start(weights)


def _fresh_weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: parameter.detach() for name, parameter in Network(Shape()).named_parameters()}


def _tokenizer(folder: Path) -> Tokenizer:
    path = folder / "tokenizer.json"
    return Tokenizer.from_file(str(path)) if path.exists() else learn_tokenizer()


def _crew(state: State, size: int) -> Crew:
    gradients = tuple(
        {name: torch.zeros_like(weight) for name, weight in state.weights.items()} for _ in range(size)
    )
    losses = torch.zeros(size)
    tables = (state.weights, state.average, state.momentum, state.variance, *gradients)
    for tensor in (state.progress, losses, *(tensor for table in tables for tensor in table.values())):
        tensor.share_memory_()
    context = multiprocessing.get_context("spawn")
    return Crew(size, gradients, losses, context.Value("l", 0), context.Barrier(size))


def _work(rank: int, plan: Plan, state: State, crew: Crew) -> None:
    torch.set_num_threads(1)
    Worker(rank, plan, state, crew).run()


if __name__ == "__main__":
    main()
