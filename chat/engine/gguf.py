"""What a GGUF file says about its model, read from the header alone: the weights stay untouched.

Knows neither llama.cpp nor how to run a model. Files come from strangers: whatever is wrong with one is a
`ModelUnreadable`.
"""

from __future__ import annotations

import math
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from chat.domain.errors import ModelUnreadable
from chat.engine.gguf_header import Header, Skipped, Value, read_header
from chat.engine.gguf_types import FILE_TYPES

Purpose = Literal["chat", "embedding", "adapter", "projector", "vocabulary", "part"]

MAX_COUNT = 2**31
MAX_LABEL_CHARS = 200
_KV_VALUE_BYTES = 2  # f16, the default of llama.cpp

_NO_WEIGHTS = frozenset({"I8", "I16", "I32", "I64", "F64"})

# They make vectors, not text.
_ENCODERS = frozenset(
    {
        "bert",
        "eurobert",
        "gemma-embedding",
        "jina-bert-v2",
        "jina-bert-v3",
        "llama-embed",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "t5encoder",
    }
)


@dataclass(frozen=True, slots=True)
class AdapterMetadata:
    """How weights are changed. `alpha` over the rank is the strength; 0 stands for the rank itself. With `is_activated`
    the change begins only at certain words.
    """

    kind: str
    alpha: float
    is_activated: bool


@dataclass(frozen=True, slots=True)
class GgufMetadata:
    """One file. Counts are 0 and texts empty where the file does not say.

    `kv_bytes_per_token` is what one token of context takes in memory at f16; sliding windows make it less.
    `purpose` "part" is a later piece of a split model, which carries tensors and little else. `shapes` are those of the
    tensors by name, the length of a row first. `adapter` is there for what changes another model's weights.
    `projection_length` is the width of the rows that a projector makes of pictures.
    """

    path: Path
    size_bytes: int
    purpose: Purpose
    architecture: str
    name: str
    license: str
    quantization: str
    num_parameters: int
    num_layers: int
    context_tokens: int
    embedding_length: int
    kv_bytes_per_token: int
    num_vocabulary: int
    bos_id: int | None
    eos_id: int | None
    chat_template: str | None
    num_parts: int
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)
    adapter: AdapterMetadata | None = None
    projection_length: int = 0


def read_metadata(path: Path) -> GgufMetadata:
    """Read the header of `path` and compare the file's size with what it promises.

    Raises: ModelUnreadable naming the file and what to do.
    """
    try:
        return _read(path)
    except ModelUnreadable as exc:
        raise ModelUnreadable(f"{path.name} {exc.message}", hint=exc.hint) from exc.__cause__
    except OSError as exc:
        reason = (exc.strerror or "unknown error").lower()
        raise ModelUnreadable(
            f"{path.name} cannot be read: {reason}.", hint="Check that the file exists and may be read."
        ) from exc


def _read(path: Path) -> GgufMetadata:
    status = path.stat()
    # A pipe or a device would block the reader for ever.
    if not stat.S_ISREG(status.st_mode):
        raise ModelUnreadable("is not a file.", hint="Put the model itself into the folder.")
    if status.st_size == 0:
        raise ModelUnreadable("is empty.")
    with path.open("rb", buffering=0) as file:
        header = read_header(file)
    _check_size(header, status.st_size)
    return _describe(path, status.st_size, header)


def _check_size(header: Header, size_bytes: int) -> None:
    if size_bytes < header.data_end:
        raise ModelUnreadable(
            f"is cut off: {_in_mb(size_bytes)} of {_in_mb(header.data_end)} MB are there.",
            hint="The download broke off: download the file again.",
        )


def _describe(path: Path, size_bytes: int, header: Header) -> GgufMetadata:
    fields = _Fields(header.fields)
    architecture = fields.label("general.architecture")
    num_parts = fields.count("split.count")
    is_part = num_parts > 1 and fields.count("split.no") > 0
    if not architecture and not is_part:
        raise ModelUnreadable("does not name its architecture.", hint="Choose another model.")
    purpose = "part" if is_part else _purpose(fields, architecture, header)
    return GgufMetadata(
        path=path,
        size_bytes=size_bytes,
        purpose=purpose,
        architecture=architecture,
        name=fields.label("general.name"),
        license=fields.label("general.license"),
        quantization=_quantization(fields, header),
        num_parameters=sum(tensor.num_elements for tensor in header.tensors),
        num_layers=fields.count(f"{architecture}.block_count"),
        context_tokens=fields.count(f"{architecture}.context_length"),
        embedding_length=fields.count(f"{architecture}.embedding_length"),
        kv_bytes_per_token=_kv_bytes_per_token(fields, architecture),
        num_vocabulary=fields.length("tokenizer.ggml.tokens"),
        bos_id=fields.optional_count("tokenizer.ggml.bos_token_id"),
        eos_id=fields.optional_count("tokenizer.ggml.eos_token_id"),
        chat_template=fields.text("tokenizer.chat_template"),
        num_parts=max(1, num_parts),
        shapes={tensor.name: tensor.shape for tensor in header.tensors},
        adapter=_adapter(fields, header) if purpose == "adapter" else None,
        projection_length=fields.count("clip.vision.projection_dim") if purpose == "projector" else 0,
    )


def _purpose(fields: _Fields, architecture: str, header: Header) -> Purpose:
    general_type = fields.label("general.type")
    if general_type == "adapter" or architecture == "controlvector":
        return "adapter"
    if general_type == "mmproj" or architecture == "clip":
        return "projector"
    if not header.tensors:
        return "vocabulary"
    if architecture in _ENCODERS or fields.count(f"{architecture}.pooling_type") > 0:
        return "embedding"
    return "chat"


def _adapter(fields: _Fields, header: Header) -> AdapterMetadata:
    """llama.cpp aborts on what is refused here."""
    alpha = header.fields.get("adapter.lora.alpha", 0.0)
    if not isinstance(alpha, float) or not math.isfinite(alpha):
        raise _wrong_type("adapter.lora.alpha")
    if wrong := next((tensor for tensor in header.tensors if tensor.type.label in _NO_WEIGHTS), None):
        raise ModelUnreadable(
            f"is damaged: {wrong.name[:100]!r} holds {wrong.type.label}, which are no weights."
        )
    is_activated = "adapter.alora.invocation_tokens" in header.fields
    return AdapterMetadata(fields.label("adapter.type"), alpha, is_activated)


def _quantization(fields: _Fields, header: Header) -> str:
    """The file's own word for it, else the type that holds the most weights."""
    file_type = fields.optional_count("general.file_type")
    if file_type in FILE_TYPES:
        return FILE_TYPES[file_type]
    weights: Counter[str] = Counter()
    for tensor in header.tensors:
        weights[tensor.type.label] += tensor.num_elements
    return weights.most_common(1)[0][0] if weights else ""


def _kv_bytes_per_token(fields: _Fields, architecture: str) -> int:
    num_layers = fields.count(f"{architecture}.block_count")
    num_heads = fields.sum(f"{architecture}.attention.head_count", num_layers)
    num_kv_heads = fields.sum(f"{architecture}.attention.head_count_kv", num_layers) or num_heads
    if not num_heads:
        return 0
    head_size = fields.count(f"{architecture}.embedding_length") * num_layers // num_heads
    key_size = fields.count(f"{architecture}.attention.key_length") or head_size
    value_size = fields.count(f"{architecture}.attention.value_length") or head_size
    return num_kv_heads * (key_size + value_size) * _KV_VALUE_BYTES


def _in_mb(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f}"


class _Fields:
    """Metadata fields by key, each checked for the type that its meaning asks for."""

    def __init__(self, fields: dict[str, Value]) -> None:
        self._fields = fields

    def text(self, key: str) -> str | None:
        value = self._fields.get(key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, Skipped):
            raise ModelUnreadable(f"has {value.length:,} bytes in {key}: too many to be meant well.")
        raise _wrong_type(key)

    def label(self, key: str) -> str:
        """A short text to show: one line, bounded."""
        return " ".join((self.text(key) or "").split())[:MAX_LABEL_CHARS]

    def optional_count(self, key: str) -> int | None:
        """A number; the largest where the file has one per layer."""
        return max(self._counts(key), default=None)

    def count(self, key: str) -> int:
        return self.optional_count(key) or 0

    def sum(self, key: str, num_layers: int) -> int:
        """The total over all layers of a setting that is one number for all or one per layer."""
        total = sum(self._counts(key))
        return total if isinstance(self._fields.get(key), tuple) else total * num_layers

    def _counts(self, key: str) -> list[int]:
        value = self._fields.get(key, ())
        counts = [item for item in _as_tuple(value) if isinstance(item, int) and 0 <= item <= MAX_COUNT]
        if len(counts) != len(_as_tuple(value)):
            raise _wrong_type(key)
        return counts

    def length(self, key: str) -> int:
        value = self._fields.get(key)
        if isinstance(value, Skipped):
            return value.length
        return len(value) if isinstance(value, tuple) else 0


def _as_tuple(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else (value,)


def _wrong_type(key: str) -> ModelUnreadable:
    return ModelUnreadable(f"is damaged: {key[:100]} makes no sense.")
