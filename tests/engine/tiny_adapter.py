"""Writes LoRA adapters of random weights for the tiny models: real files for llama.cpp."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tests.engine.tiny_gguf import FEED_FORWARD, NUM_HEADS, NUM_KV_HEADS, NUM_LAYERS, WIDTH

RANK = 4
_KV_WIDTH = WIDTH // NUM_HEADS * NUM_KV_HEADS
# Columns and rows of the weights that are changed.
_SHAPES = {
    "attn_q": (WIDTH, WIDTH),
    "attn_v": (WIDTH, _KV_WIDTH),
    "ffn_down": (FEED_FORWARD, WIDTH),
}


def write_tiny_adapter(
    path: Path,
    *,
    seed: int = 0,
    architecture: str = "llama",
    width: int = WIDTH,
    kind: str = "lora",
    alpha: float = 2.0 * RANK,
    num_layers: int = NUM_LAYERS,
    without: str = "",
    add_alpha: str = "add_float32",
) -> Path:
    """Write an adapter that changes what a tiny model says; returns `path`.

    `width` other than the tiny models' makes one for other models; `without` leaves out the tensor of that name;
    `add_alpha` is how the writer stores `alpha`.
    The same arguments give the same bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", kind)
    getattr(writer, add_alpha)("adapter.lora.alpha", alpha)
    for layer in range(num_layers):
        for name, (num_columns, num_rows) in _SHAPES.items():
            columns = width if num_columns == WIDTH else num_columns
            tensors = {
                f"blk.{layer}.{name}.weight.lora_a": _random(rng, RANK, columns),
                f"blk.{layer}.{name}.weight.lora_b": _without_row_0(_random(rng, num_rows, RANK)),
            }
            for tensor_name, values in tensors.items():
                if tensor_name != without:
                    writer.add_tensor(tensor_name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _random(rng: np.random.Generator, num_rows: int, num_columns: int) -> np.ndarray:
    return (rng.standard_normal((num_rows, num_columns)) / np.sqrt(num_columns)).astype(np.float32)


def _without_row_0(matrix: np.ndarray) -> np.ndarray:
    """The tiny models keep a constant in dimension 0, to which nothing may be added."""
    matrix[0] = 0.0
    return matrix
