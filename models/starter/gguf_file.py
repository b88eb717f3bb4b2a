"""The starter model as a GGUF file: written for llama.cpp, and read back to train on.

Source: llama.cpp's names of tensors and keys for the architecture "qwen3"; rotary order "neox", as in `network.py`.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from tokenizers import Tokenizer
from tokenizers.models import BPE
from torch import Tensor

from starter.chat_format import MARKS, TEXT_END, TURN_END
from starter.network import Shape
from starter.tokenizer import CONTROL, add_marks, assembled, merges_of

ARCHITECTURE = "qwen3"
_LAYER_NAMES = {
    "attention_norm": "attn_norm",
    "attention.q": "attn_q",
    "attention.k": "attn_k",
    "attention.v": "attn_v",
    "attention.output": "attn_output",
    "attention.q_norm": "attn_q_norm",
    "attention.k_norm": "attn_k_norm",
    "feed_forward_norm": "ffn_norm",
    "feed_forward.gate": "ffn_gate",
    "feed_forward.up": "ffn_up",
    "feed_forward.down": "ffn_down",
}
_NAMES = {"embedding.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}


def write_gguf(
    path: Path, weights: dict[str, Tensor], shape: Shape, tokenizer: Tokenizer, template: str, kind: Kind
) -> None:
    """Writes the file; matrices in the given kind (Q8_0 or F16), vectors in F32."""
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    _add_description(writer, sum(weight.numel() for weight in weights.values()))
    _add_shape(writer, shape)
    _add_tokenizer(writer, tokenizer)
    writer.add_chat_template(template)
    writer.add_file_type(
        gguf.LlamaFileType.MOSTLY_Q8_0 if kind is Kind.Q8_0 else gguf.LlamaFileType.MOSTLY_F16
    )
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for name, weight in weights.items():
        values = weight.detach().float().cpu().numpy()
        stored = kind if values.ndim == 2 else Kind.F32
        writer.add_tensor(gguf_name(name), gguf.quants.quantize(values, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_gguf(path: Path) -> tuple[dict[str, Tensor], Tokenizer]:
    """Weights under the network's own names, and the tokenizer."""
    reader = gguf.GGUFReader(path)
    num_layers = reader.fields[f"{ARCHITECTURE}.block_count"].contents()
    own_names = {gguf_name(name): name for name in _own_names(num_layers)}
    weights = {
        own_names[tensor.name]: torch.from_numpy(
            np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        )
        for tensor in reader.tensors
    }
    return weights, _tokenizer(reader)


def gguf_name(name: str) -> str:
    """The name of a tensor in the file."""
    if name in _NAMES:
        return _NAMES[name]
    _, layer, rest = name.split(".", 2)
    return f"blk.{layer}.{_LAYER_NAMES[rest.removesuffix('.weight')]}.weight"


def _own_names(num_layers: int) -> list[str]:
    return [
        *_NAMES,
        *(f"layers.{layer}.{name}.weight" for layer in range(num_layers) for name in _LAYER_NAMES),
    ]


def _add_description(writer: gguf.GGUFWriter, num_parameters: int) -> None:
    writer.add_type("model")
    writer.add_name("Parley Starter")
    writer.add_basename("parley-starter")
    writer.add_description(
        "The small chat model that comes with Parley, trained from nothing on text composed by its own recipe."
    )
    writer.add_license("MIT")
    writer.add_languages(["en"])
    writer.add_size_label(f"{num_parameters / 1e6:.0f}M")


def _add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.num_layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.num_heads)
    writer.add_head_count_kv(shape.num_kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.__getitem__)
    kinds = dict.fromkeys(CONTROL, gguf.TokenType.CONTROL) | dict.fromkeys(MARKS, gguf.TokenType.USER_DEFINED)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token in tokens])
    writer.add_token_merges([f"{left} {right}" for left, right in merges_of(tokenizer)])
    writer.add_bos_token_id(ids[TEXT_END])
    writer.add_eos_token_id(ids[TURN_END])
    writer.add_pad_token_id(ids[TEXT_END])
    writer.add_add_bos_token(False)


def _tokenizer(reader: gguf.GGUFReader) -> Tokenizer:
    tokens: list[str] = reader.fields["tokenizer.ggml.tokens"].contents()
    merges: list[str] = reader.fields["tokenizer.ggml.merges"].contents()
    vocabulary = {token: number for number, token in enumerate(tokens) if token not in (*CONTROL, *MARKS)}
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    tokenizer = assembled(BPE(vocab=vocabulary, merges=pairs))
    add_marks(tokenizer)
    return tokenizer
