"""Which precision multiplies faster here: bf16 with tensor cores, AMX or AVX-512; elsewhere it is emulated."""

from __future__ import annotations

import time
from functools import cache

import torch
from torch.nn import functional

_ROUNDS = 5


@cache
def is_bf16_faster(device: str) -> bool:
    """Whether bf16 beats float32 at matrix products of this network's size; measured once on a CPU."""
    return device != "cpu" or _seconds(torch.bfloat16) < _seconds(torch.float32)


@torch.no_grad()
def _seconds(dtype: torch.dtype) -> float:
    """The shortest time of a few products."""
    states, matrix = torch.randn(1024, 384).to(dtype), torch.randn(768, 384).to(dtype)
    times: list[float] = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        functional.linear(states, matrix)
        times.append(time.perf_counter() - start)
    return min(times)
