"""Reads the bytes of a GGUF header: every count and length is checked before it is believed.

Knows nothing of what the fields mean. Source: the GGUF specification (ggml/docs/gguf.md), versions 2 and 3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import BinaryIO

from chat.domain.errors import ModelUnreadable
from chat.engine.gguf_types import ARRAY, SCALAR_FORMATS, STRING, TENSOR_TYPES, TensorType

MAX_HEADER_BYTES = 64 * 2**20  # a vocabulary of 262,000 tokens with its merges takes 15 MB
MAX_FIELDS = 10_000
MAX_TENSORS = 65_536
MAX_NAME_BYTES = 65_535
MAX_KEPT_TEXT_BYTES = 2**20
MAX_KEPT_ARRAY = 1024
MAX_DIMENSIONS = 4
MAX_ALIGNMENT = 2**20
DEFAULT_ALIGNMENT = 32

_READ_BYTES = 2**20
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Skipped:
    """Stands for a value too big to keep: the number of array items or of text bytes."""

    length: int


Scalar = bool | int | float
Value = Scalar | str | tuple[Scalar, ...] | Skipped


@dataclass(frozen=True, slots=True)
class Tensor:
    """What the header says about one tensor; `offset` counts from the start of the tensor data.

    `shape` begins with the length of a row, as the file has it.
    """

    name: str
    type: TensorType
    shape: tuple[int, ...]
    num_elements: int
    num_bytes: int
    offset: int


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header, and the place of the tensor data in the file."""

    fields: dict[str, Value]
    tensors: tuple[Tensor, ...]
    data_start: int

    @property
    def data_end(self) -> int:
        """The size that the file must have at least; the last tensor's padding may be missing."""
        if not self.tensors:
            return 0
        return self.data_start + self.tensors[-1].offset + self.tensors[-1].num_bytes


def read_header(file: BinaryIO) -> Header:
    """Read the header from the start of `file`, and no more of it than one block beyond.

    Raises: ModelUnreadable with a message that begins with a verb and lacks the file's name.
    """
    cursor = _Cursor(file)
    _check_magic(cursor)
    num_tensors = cursor.count(MAX_TENSORS, "tensors")
    num_fields = cursor.count(MAX_FIELDS, "metadata fields")
    fields = _read_fields(cursor, num_fields)
    alignment = _alignment(fields)
    tensors = _read_tensors(cursor, num_tensors, alignment)
    return Header(fields, tensors, _padded(cursor.position, alignment))


def _check_magic(cursor: _Cursor) -> None:
    if cursor.take(4) != b"GGUF":
        raise ModelUnreadable("is not a GGUF file.", hint="Choose a file that ends in .gguf.")
    version = cursor.integer("I")
    if version and version & 0xFFFF == 0:
        raise ModelUnreadable(
            "is a GGUF file for big-endian machines.", hint="Download the usual, little-endian file."
        )
    if version not in (2, 3):
        raise ModelUnreadable(f"has GGUF version {version}; this program reads 2 and 3.")


def _read_fields(cursor: _Cursor, num_fields: int) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for _ in range(num_fields):
        key = cursor.name()
        if key in fields:
            raise ModelUnreadable(f"is damaged: it has the metadata field {key[:100]!r} twice.")
        fields[key] = cursor.value()
    return fields


def _alignment(fields: dict[str, Value]) -> int:
    alignment = fields.get("general.alignment", DEFAULT_ALIGNMENT)
    if isinstance(alignment, int) and 0 < alignment <= MAX_ALIGNMENT and alignment & (alignment - 1) == 0:
        return alignment
    raise ModelUnreadable("is damaged: its alignment is no power of two.")


def _read_tensors(cursor: _Cursor, num_tensors: int, alignment: int) -> tuple[Tensor, ...]:
    tensors: dict[str, Tensor] = {}
    expected_offset = 0
    for _ in range(num_tensors):
        tensor = _read_tensor(cursor)
        if tensor.name in tensors or tensor.offset != expected_offset:
            raise ModelUnreadable(f"is damaged: the tensor {tensor.name[:100]!r} is out of place.")
        tensors[tensor.name] = tensor
        expected_offset += _padded(tensor.num_bytes, alignment)
    return tuple(tensors.values())


def _read_tensor(cursor: _Cursor) -> Tensor:
    name = cursor.name()
    num_dimensions = cursor.integer("I")
    if num_dimensions > MAX_DIMENSIONS:
        raise ModelUnreadable(f"is damaged: a tensor has {num_dimensions} dimensions.")
    dimensions = [cursor.integer("Q") for _ in range(num_dimensions)]
    type_number, offset = cursor.integer("I"), cursor.integer("Q")
    tensor_type = TENSOR_TYPES.get(type_number)
    if tensor_type is None:
        raise ModelUnreadable(
            f"stores weights in a format (number {type_number}) that this program does not know.",
            hint="Choose a common format such as Q8_0 or Q4_K_M.",
        )
    row = dimensions[0] if dimensions else 1
    if row % tensor_type.block_elements:
        raise ModelUnreadable(f"is damaged: rows of {row} weights do not fit {tensor_type.label}.")
    num_elements = prod(dimensions)
    num_bytes = num_elements // tensor_type.block_elements * tensor_type.block_bytes
    return Tensor(name, tensor_type, tuple(dimensions), num_elements, num_bytes, offset)


def _padded(num_bytes: int, alignment: int) -> int:
    return -(-num_bytes // alignment) * alignment


class _Cursor:
    """A place in the header; reads the file block by block and never beyond `MAX_HEADER_BYTES`."""

    def __init__(self, file: BinaryIO) -> None:
        self.position = 0
        self._file = file
        self._buffer = bytearray()

    def take(self, num_bytes: int) -> bytes:
        start = self.position
        self.skip(num_bytes)
        return bytes(self._buffer[start : self.position])

    def skip(self, num_bytes: int) -> None:
        end = self.position + num_bytes
        while end > len(self._buffer):
            self._read_block(end)
        self.position = end

    def integer(self, code: str) -> int:
        (number,) = struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))
        assert isinstance(number, int)
        return number

    def count(self, highest: int, what: str) -> int:
        number = self.integer("Q")
        if number > highest:
            raise ModelUnreadable(f"is damaged: it claims {number:,} {what}.")
        return number

    def name(self) -> str:
        num_bytes = self.count(MAX_NAME_BYTES, "bytes in a name")
        return self.take(num_bytes).decode("utf-8", errors="replace")

    def value(self) -> Value:
        type_number = self.integer("I")
        if type_number == STRING:
            return self._text()
        if type_number == ARRAY:
            return self._array()
        return self._scalars(type_number, 1)[0]

    def _text(self) -> str | Skipped:
        num_bytes = self.count(MAX_HEADER_BYTES, "bytes of text")
        if num_bytes > MAX_KEPT_TEXT_BYTES:
            self.skip(num_bytes)
            return Skipped(num_bytes)
        return self.take(num_bytes).decode("utf-8", errors="replace")

    def _array(self) -> tuple[Scalar, ...] | Skipped:
        type_number = self.integer("I")
        length = self.count(MAX_HEADER_BYTES, "items in a list")
        if type_number == STRING:
            self._skip_texts(length)
            return Skipped(length)
        if length <= MAX_KEPT_ARRAY:
            return self._scalars(type_number, length)
        self.skip(length * struct.calcsize("<" + _scalar_format(type_number)))
        return Skipped(length)

    def _scalars(self, type_number: int, length: int) -> tuple[Scalar, ...]:
        layout = struct.Struct(f"<{length}{_scalar_format(type_number)}")
        return layout.unpack(self.take(layout.size))

    def _skip_texts(self, num_texts: int) -> None:
        """The hot loop, 70 ns a text: running off the buffer is noticed, not checked each time."""
        unpack_from, buffer, position = _LENGTH.unpack_from, self._buffer, self.position
        while num_texts:
            try:
                while num_texts:
                    position += _LENGTH.size + unpack_from(buffer, position)[0]
                    num_texts -= 1
            except (struct.error, OverflowError):
                self._read_block(position + _LENGTH.size)
        self.position = position
        self.skip(0)

    def _read_block(self, needed_end: int) -> None:
        """Append the next block to the buffer; `needed_end` is where the reader wants to get."""
        if needed_end > MAX_HEADER_BYTES:
            raise ModelUnreadable("is damaged: its header has no end.")
        block = self._file.read(_READ_BYTES)
        if not block:
            raise ModelUnreadable("is cut off inside its header.")
        self._buffer += block


def _scalar_format(type_number: int) -> str:
    code = SCALAR_FORMATS.get(type_number)
    if code is None:
        raise ModelUnreadable(f"is damaged: it has a metadata field of the unknown type {type_number}.")
    return code
