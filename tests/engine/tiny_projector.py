"""Writes tiny projectors with random weights, of Gemma 3's kind: with one the tiny model sees, if only noise."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import gguf
import numpy as np
from PIL import Image

from chat.domain.messages import ImagePart
from tests.engine.tiny_gguf import WIDTH

IMAGE_SIZE = 56
PATCH_SIZE = 14
EYE_WIDTH = 32
NUM_LAYERS = 2
NUM_ROWS = 4  # 16 patches, of which each four become a row


def write_tiny_projector(path: Path, *, seed: int = 0, width: int = WIDTH) -> Path:
    """Write what stock llama.cpp loads beside a model of this width; returns `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_gelu", True)
    writer.add_string("clip.projector_type", "gemma3")
    for key, value in {
        "image_size": IMAGE_SIZE,
        "patch_size": PATCH_SIZE,
        "embedding_length": EYE_WIDTH,
        "feed_forward_length": 2 * EYE_WIDTH,
        "block_count": NUM_LAYERS,
        "attention.head_count": 2,
        "projection_dim": width,
        "projector.scale_factor": 2,
    }.items():
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    writer.add_array("clip.vision.image_mean", [0.5] * 3)
    writer.add_array("clip.vision.image_std", [0.5] * 3)
    _add_tensors(writer, np.random.default_rng(seed), width)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def png(color: str, size: tuple[int, int] = (64, 48)) -> bytes:
    """A picture of one color."""
    buffer = BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def picture(color: str, name: str = "square.png") -> ImagePart:
    """The same as the engine takes it."""
    return ImagePart(name, 64, 48, data=png(color))


def _add_tensors(writer: gguf.GGUFWriter, rng: np.random.Generator, width: int) -> None:
    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32))

    def add_layer(name: str, num_rows: int, num_columns: int) -> None:
        add(f"{name}.weight", num_rows, num_columns)
        writer.add_tensor(f"{name}.bias", np.zeros(num_rows, dtype=np.float32))

    def add_norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(EYE_WIDTH, dtype=np.float32))
        writer.add_tensor(f"{name}.bias", np.zeros(EYE_WIDTH, dtype=np.float32))

    add("v.patch_embd.weight", EYE_WIDTH, 3, PATCH_SIZE, PATCH_SIZE)
    writer.add_tensor("v.patch_embd.bias", np.zeros(EYE_WIDTH, dtype=np.float32))
    add("v.position_embd.weight", (IMAGE_SIZE // PATCH_SIZE) ** 2, EYE_WIDTH)
    for layer in range(NUM_LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            add_layer(f"v.blk.{layer}.{name}", EYE_WIDTH, EYE_WIDTH)
        add_norm(f"v.blk.{layer}.ln1")
        add_norm(f"v.blk.{layer}.ln2")
        add_layer(f"v.blk.{layer}.ffn_up", 2 * EYE_WIDTH, EYE_WIDTH)
        add_layer(f"v.blk.{layer}.ffn_down", EYE_WIDTH, 2 * EYE_WIDTH)
    add_norm("v.post_ln")
    add("mm.input_projection.weight", EYE_WIDTH, width)
    writer.add_tensor("mm.soft_emb_norm.weight", np.ones(EYE_WIDTH, dtype=np.float32))
