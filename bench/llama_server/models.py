"""Writes the models of the benchmark: random weights in the shapes of real models, with real vocabularies.

What a model costs depends on its shape and its vocabulary, not on what it learnt. Two tricks make the text of a random
model as regular as a real one's: dimension 0 of the hidden state is constant, so column 0 of the embedding is a
bias for each token. It leaves only whole words to speak: each token is one piece of text, a reply never ends before its
length, and is tokenized again as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType as Kind

Vector = npt.NDArray[np.float32]
Blocks = npt.NDArray[np.void]

# What llama.cpp calls Q8_0: 32 weights with one scale.
BLOCK_WEIGHTS = 32
BLOCK = np.dtype([("scale", np.float16), ("values", np.int8, BLOCK_WEIGHTS)])

# ChatML. Each reply begins with a space, which a server may strip: here it comes back, whatever a server does.
TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\n ' + (message.content | trim) + '<|im_end|>\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
SPOKEN = re.compile(r"Ġ[A-Za-z]+")
# Column 0 of a token that may be spoken, and of all others. What was read is positive in any case; squared by the tied
# output matrix, the difference is a bias of 20 and more for words, while other logits differ by 2 or 3.
SPOKEN_VALUE, SILENT_VALUE = 127, 40
BIAS_WEIGHT = 3000.0
LOGIT_WEIGHT = 0.1
# Layers add so much that the last token does not outweigh what they computed: else a tied model repeats itself.
LAYER_WEIGHT = 24.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Widths and counts of a model; `vocabulary` is the file of llama.cpp's sources that holds its tokens."""

    name: str
    architecture: str
    vocabulary: str
    chat_marks: tuple[int, int]
    context_tokens: int
    num_layers: int
    width: int
    feed_forward: int
    num_heads: int
    num_kv_heads: int
    rope_base: float
    has_bias: bool

    @property
    def head_width(self) -> int:
        """Numbers in one attention head."""
        return self.width // self.num_heads


SHAPES = {
    "qwen": Shape(
        "qwen05b", "qwen2", "ggml-vocab-qwen2.gguf", (151644, 151645), 32768, 24, 896, 4864, 14, 2, 1e6, True
    ),
    # StarCoder's vocabulary has the size of SmolLM2's; two of its marks become those of the chat.
    "smol": Shape(
        "smol135m", "llama", "ggml-vocab-starcoder.gguf", (1, 2), 8192, 30, 576, 1536, 9, 3, 1e5, False
    ),
}


def write_model(shape: Shape, vocabularies: Path, path: Path) -> Path:
    """Writes the file as Q8_0, the vectors as F32; the same shape gives the same bytes. Takes seconds."""
    vocabulary = gguf.GGUFReader(vocabularies / shape.vocabulary)
    partial = path.with_suffix(".partial")
    writer = gguf.GGUFWriter(partial, shape.architecture)
    tokens = _add_tokenizer(writer, vocabulary, shape)
    _add_shape(writer, shape)
    for name, values in _tensors(shape, tokens):
        if values.dtype == BLOCK:
            writer.add_tensor(name, values.view(np.uint8), raw_dtype=Kind.Q8_0)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return partial.rename(path)


def weight_bytes(path: Path) -> int:
    """Bytes of weights that one token reads: all of them, as the embedding is the output matrix too."""
    return sum(int(tensor.n_bytes) for tensor in gguf.GGUFReader(path).tensors)


def _add_tokenizer(writer: gguf.GGUFWriter, vocabulary: gguf.GGUFReader, shape: Shape) -> list[str]:
    fields = vocabulary.fields
    tokens: list[str] = fields["tokenizer.ggml.tokens"].contents()
    kinds: list[int] = fields["tokenizer.ggml.token_type"].contents()
    for number, mark in zip(shape.chat_marks, ("<|im_start|>", "<|im_end|>"), strict=True):
        tokens[number], kinds[number] = mark, gguf.TokenType.CONTROL
    writer.add_tokenizer_model(fields["tokenizer.ggml.model"].contents())
    writer.add_tokenizer_pre(fields["tokenizer.ggml.pre"].contents())
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(fields["tokenizer.ggml.merges"].contents())
    writer.add_bos_token_id(fields["tokenizer.ggml.bos_token_id"].contents())
    writer.add_eos_token_id(shape.chat_marks[1])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    return tokens


def _add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_type("model")
    writer.add_name(f"{shape.name}, random weights")
    writer.add_context_length(shape.context_tokens)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.num_layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.num_heads)
    writer.add_head_count_kv(shape.num_kv_heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _tensors(shape: Shape, tokens: list[str]) -> Iterator[tuple[str, Vector | Blocks]]:
    rng = np.random.default_rng(0)
    width, kv_width = shape.width, shape.num_kv_heads * shape.head_width
    embedding = _matrix(rng, len(tokens), width, 1.0)
    embedding["values"][:, 0, 0] = [
        SPOKEN_VALUE if SPOKEN.fullmatch(token) else SILENT_VALUE for token in tokens
    ]
    yield "token_embd.weight", embedding
    yield "output_norm.weight", np.array([BIAS_WEIGHT] + [LOGIT_WEIGHT] * (width - 1), dtype=np.float32)
    for layer in range(shape.num_layers):
        yield f"blk.{layer}.attn_norm.weight", np.ones(width, dtype=np.float32)
        yield f"blk.{layer}.ffn_norm.weight", np.ones(width, dtype=np.float32)
        for name, num_rows in (("q", width), ("k", kv_width), ("v", kv_width)):
            yield f"blk.{layer}.attn_{name}.weight", _matrix(rng, num_rows, width, width**-0.5)
            if shape.has_bias:
                bias = rng.standard_normal(num_rows, dtype=np.float32)
                yield f"blk.{layer}.attn_{name}.bias", bias * np.float32(0.1)
        yield f"blk.{layer}.attn_output.weight", _added(rng, width, width)
        yield f"blk.{layer}.ffn_gate.weight", _matrix(rng, shape.feed_forward, width, width**-0.5)
        yield f"blk.{layer}.ffn_up.weight", _matrix(rng, shape.feed_forward, width, width**-0.5)
        yield f"blk.{layer}.ffn_down.weight", _added(rng, width, shape.feed_forward)


def _added(rng: np.random.Generator, width: int, num_columns: int) -> Blocks:
    """A matrix whose result is added to the hidden state, but never to the constant dimension."""
    blocks = _matrix(rng, width, num_columns, LAYER_WEIGHT * num_columns**-0.5)
    blocks["values"][0] = 0
    return blocks


def _matrix(rng: np.random.Generator, num_rows: int, num_columns: int, deviation: float) -> Blocks:
    """Evenly distributed weights with this standard deviation; (num_rows, num_columns / 32) blocks."""
    blocks = np.empty((num_rows, num_columns // BLOCK_WEIGHTS), dtype=BLOCK)
    blocks["scale"] = deviation * np.sqrt(3) / 127
    blocks["values"] = rng.integers(-127, 128, blocks["values"].shape, dtype=np.int8)
    return blocks
