"""Writes tiny llama models with random weights: real files for llama.cpp, made in a few milliseconds.

The weights carry one trick: dimension 0 of the hidden state is constant, so column 0 of the output matrix
is a bias per token. With it a random model speaks printable ASCII, and ends as often as the test wants.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import gguf
import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Alphabet = Literal["ascii", "bytes", "prose"]
StoredAs = Literal["F32", "F16", "Q8_0"]

CHATML_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
BROKEN_TEMPLATE = "{% for message in messages %}{{ message.content }"
RAISING_TEMPLATE = "{{ raise_exception('Only texts about gardens, please') }}"
HOSTILE_TEMPLATE = "{{ lipsum.__globals__['os'].popen('id').read() }}"
ENDLESS_TEMPLATE = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
NUM_LAYERS = 2
WIDTH = 64
FEED_FORWARD = 128
NUM_HEADS = 4
NUM_KV_HEADS = 2
BERT_WIDTH = 32

_WORDS = ("the", "and", "ing", "you", "her", "that", "with", "have", "this", "word")
_FILE_TYPES = {
    "F32": gguf.LlamaFileType.ALL_F32,
    "F16": gguf.LlamaFileType.MOSTLY_F16,
    "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}
_NEVER = -30.0
_PARAGRAPHS = 5.0  # a blank line every few hundred characters
_CONSTANT = 4.0


def write_tiny_gguf(
    path: Path,
    *,
    seed: int = 0,
    context_tokens: int = 512,
    name: str = "tiny",
    template: str | None = CHATML_TEMPLATE,
    has_tokenizer: bool = True,
    special_tokens: Sequence[str] = SPECIAL_TOKENS,
    alphabet: Alphabet = "ascii",
    end_bias: float = _NEVER,
    tensor_type: StoredAs = "F32",
    adds_begin: bool = False,
    pooling: gguf.PoolingType | None = None,
    num_layers: int = NUM_LAYERS,
) -> Path:
    """Write a model that stock llama.cpp loads and decodes; returns `path`.

    `alphabet` "ascii" keeps the text printable, "prose" to words and line breaks, "bytes" lets half characters
    come. `end_bias` favours the token that ends the turn (the last special one): -30 never, 0 after 40 to 90 tokens,
    6 after ten. With more layers it writes more slowly.
    The same arguments give the same bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "llama")
    tokens, merges = _vocabulary(special_tokens)
    _add_metadata(writer, name, context_tokens, len(tokens), num_layers)
    writer.add_file_type(_FILE_TYPES[tensor_type])
    if has_tokenizer:
        _add_tokenizer(writer, tokens, merges, len(special_tokens))
        writer.add_add_bos_token(adds_begin)
    if pooling is not None:
        writer.add_pooling_type(pooling)
    if template is not None:
        writer.add_chat_template(template)
    bias = _token_bias(tokens, len(special_tokens), alphabet, end_bias)
    quantization = gguf.GGMLQuantizationType[tensor_type]
    _add_tensors(writer, np.random.default_rng(seed), bias, quantization, num_layers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_tiny_bert(
    path: Path,
    *,
    seed: int = 0,
    context_tokens: int = 64,
    pooling: gguf.PoolingType = gguf.PoolingType.MEAN,
) -> Path:
    """Write an embedding model of the BERT kind with vectors of 32 numbers; returns `path`.

    Each letter and each of a few words is a token, and a text stands between two more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "bert")
    letters = [chr(code) for code in range(33, 127)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"\u2581{each}" for each in letters)]
    tokens += [f"\u2581{word}" for word in _WORDS]
    writer.add_type("model")
    writer.add_name("tiny bert")
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(BERT_WIDTH)
    writer.add_block_count(NUM_LAYERS)
    writer.add_feed_forward_length(2 * BERT_WIDTH)
    writer.add_head_count(2)
    writer.add_layer_norm_eps(1e-5)
    writer.add_causal_attention(False)
    writer.add_pooling_type(pooling)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 5 + [gguf.TokenType.NORMAL] * (len(tokens) - 5))
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_sep_token_id(3)
    writer.add_eos_token_id(3)
    writer.add_mask_token_id(4)
    _add_bert_tensors(writer, np.random.default_rng(seed), len(tokens), context_tokens)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_bert_tensors(
    writer: gguf.GGUFWriter, rng: np.random.Generator, num_tokens: int, context_tokens: int
) -> None:
    def add(name: str, num_rows: int, num_columns: int) -> None:
        writer.add_tensor(f"{name}.weight", _random(rng, num_rows, num_columns) * 2)

    def add_layer(name: str, num_rows: int, num_columns: int) -> None:
        add(name, num_rows, num_columns)
        writer.add_tensor(f"{name}.bias", np.zeros(num_rows, dtype=np.float32))

    def add_norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(BERT_WIDTH, dtype=np.float32))
        writer.add_tensor(f"{name}.bias", np.zeros(BERT_WIDTH, dtype=np.float32))

    add("token_embd", num_tokens, BERT_WIDTH)
    add("position_embd", context_tokens, BERT_WIDTH)
    add("token_types", 2, BERT_WIDTH)
    add_norm("token_embd_norm")
    for layer in range(NUM_LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add_layer(f"blk.{layer}.{name}", BERT_WIDTH, BERT_WIDTH)
        add_norm(f"blk.{layer}.attn_output_norm")
        add_layer(f"blk.{layer}.ffn_up", 2 * BERT_WIDTH, BERT_WIDTH)
        add_layer(f"blk.{layer}.ffn_down", BERT_WIDTH, 2 * BERT_WIDTH)
        add_norm(f"blk.{layer}.layer_output_norm")


def _add_metadata(
    writer: gguf.GGUFWriter, name: str, context_tokens: int, num_tokens: int, num_layers: int
) -> None:
    writer.add_type("model")
    writer.add_name(name)
    writer.add_license("MIT")
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(num_layers)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(NUM_HEADS)
    writer.add_head_count_kv(NUM_KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // NUM_HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(num_tokens)


def _vocabulary(special_tokens: Sequence[str]) -> tuple[list[str], list[str]]:
    """The byte tokens in order, the merged words, the special tokens; and the merges that make the words."""
    letters = _byte_letters()
    tokens = list(letters)
    merges: list[str] = []
    for word in [*_WORDS, *(letters[ord(" ")] + word for word in _WORDS)]:
        for split in range(1, len(word)):
            if word[: split + 1] not in tokens:
                merges.append(f"{word[:split]} {word[split]}")
                tokens.append(word[: split + 1])
    return [*tokens, *special_tokens], merges


def _byte_letters() -> list[str]:
    """The printable letter that stands for each byte in byte-level BPE. Source: GPT-2, encoder.py."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) if byte in shown else chr(256 + hidden.index(byte)) for byte in range(256)]


def _add_tokenizer(
    writer: gguf.GGUFWriter, tokens: Sequence[str], merges: Sequence[str], num_special: int
) -> None:
    num_plain = len(tokens) - num_special
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * num_plain + [gguf.TokenType.CONTROL] * num_special)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(num_plain)
    writer.add_eos_token_id(len(tokens) - 1)


def _token_bias(tokens: Sequence[str], num_special: int, alphabet: Alphabet, end_bias: float) -> Matrix:
    bias = np.zeros(len(tokens), dtype=np.float32)
    if alphabet != "bytes":
        allowed = range(32, 127) if alphabet == "ascii" else b"abcdefghijklmnopqrstuvwxyz .\n"
        bias[:256] = [0.0 if byte in allowed else _NEVER for byte in range(256)]
    if alphabet == "prose":
        bias[ord("\n")] = _PARAGRAPHS
    bias[len(tokens) - num_special :] = _NEVER
    bias[-1] = end_bias
    return bias


def _add_tensors(
    writer: gguf.GGUFWriter,
    rng: np.random.Generator,
    bias: Matrix,
    tensor_type: gguf.GGMLQuantizationType,
    num_layers: int,
) -> None:
    def add_matrix(name: str, matrix: Matrix) -> None:
        writer.add_tensor(name, gguf.quantize(matrix, tensor_type), raw_dtype=tensor_type)

    def add_ones(name: str) -> None:
        writer.add_tensor(name, np.ones(WIDTH, dtype=np.float32))

    kv_width = WIDTH // NUM_HEADS * NUM_KV_HEADS
    add_matrix("token_embd.weight", _with_column_0(_random(rng, len(bias), WIDTH) * 8, _CONSTANT))
    for layer in range(num_layers):
        add_ones(f"blk.{layer}.attn_norm.weight")
        add_matrix(f"blk.{layer}.attn_q.weight", _random(rng, WIDTH, WIDTH) * 2)
        add_matrix(f"blk.{layer}.attn_k.weight", _random(rng, kv_width, WIDTH) * 2)
        add_matrix(f"blk.{layer}.attn_v.weight", _random(rng, kv_width, WIDTH) * 2)
        add_matrix(f"blk.{layer}.attn_output.weight", _without_row_0(_random(rng, WIDTH, WIDTH) * 2))
        add_ones(f"blk.{layer}.ffn_norm.weight")
        add_matrix(f"blk.{layer}.ffn_gate.weight", _random(rng, FEED_FORWARD, WIDTH) * 2)
        add_matrix(f"blk.{layer}.ffn_up.weight", _random(rng, FEED_FORWARD, WIDTH) * 2)
        add_matrix(f"blk.{layer}.ffn_down.weight", _without_row_0(_random(rng, WIDTH, FEED_FORWARD)))
    add_ones("output_norm.weight")
    add_matrix("output.weight", _with_column_0(_random(rng, len(bias), WIDTH) * 4, bias))


def _random(rng: np.random.Generator, num_rows: int, num_columns: int) -> Matrix:
    """Rows of about unit length, so that a hidden state keeps its size from layer to layer."""
    return (rng.standard_normal((num_rows, num_columns)) / np.sqrt(num_columns)).astype(np.float32)


def _with_column_0(matrix: Matrix, value: float | Matrix) -> Matrix:
    matrix[:, 0] = value
    return matrix


def _without_row_0(matrix: Matrix) -> Matrix:
    """Nothing may be added to the constant dimension."""
    matrix[0] = 0.0
    return matrix
