"""The metadata reader: true to good files, calm with bad ones."""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.domain.errors import ModelUnreadable
from chat.engine.gguf import GgufMetadata, read_metadata
from chat.engine.gguf_header import read_header
from tests.engine.tiny_gguf import write_tiny_gguf

U32, U64, STRING, ARRAY = 4, 10, 8, 9


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf")


def write_model(path: Path, architecture: str, add_fields: Callable[[gguf.GGUFWriter], None]) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    add_fields(writer)
    writer.add_tensor("token_embd.weight", np.zeros((4, 8), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def text_bytes(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def field_bytes(key: str, type_number: int, value: bytes) -> bytes:
    return text_bytes(key) + struct.pack("<I", type_number) + value


def file_bytes(*fields: bytes, tensors: bytes = b"", num_tensors: int = 0, version: int = 3) -> bytes:
    counts = struct.pack("<IQQ", version, num_tensors, len(fields))
    return b"GGUF" + counts + b"".join(fields) + tensors


def tensor_bytes(
    name: str = "t", dimensions: tuple[int, ...] = (8,), type_number: int = 0, offset: int = 0
) -> bytes:
    shape = struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
    return text_bytes(name) + shape + struct.pack("<IQ", type_number, offset)


ARCHITECTURE = field_bytes("general.architecture", STRING, text_bytes("llama"))


def error_of(path: Path) -> ModelUnreadable:
    with pytest.raises(ModelUnreadable) as caught:
        read_metadata(path)
    return caught.value


def error_of_bytes(tmp_path: Path, content: bytes) -> ModelUnreadable:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    return error_of(path)


def test_reads_what_the_file_says(tiny: Path) -> None:
    found = read_metadata(tiny)

    assert found == GgufMetadata(
        path=tiny,
        size_bytes=tiny.stat().st_size,
        purpose="chat",
        architecture="llama",
        name="tiny",
        license="MIT",
        quantization="F32",
        num_parameters=113_856,
        num_layers=2,
        context_tokens=512,
        embedding_length=64,
        kv_bytes_per_token=2 * 2 * (16 + 16) * 2,  # layers, KV heads, key and value, f16
        num_vocabulary=311,
        bos_id=308,
        eos_id=310,
        chat_template=found.chat_template,
        num_parts=1,
    )
    assert found.chat_template is not None
    assert found.chat_template.startswith("{%- for message in messages %}")


def test_agrees_with_the_reference_reader(tiny: Path) -> None:
    reference = gguf.GGUFReader(tiny)

    with tiny.open("rb") as file:
        header = read_header(file)

    assert header.data_start == reference.data_offset
    assert [(t.name, t.num_elements, t.num_bytes) for t in header.tensors] == [
        (t.name, t.n_elements, t.n_bytes) for t in reference.tensors
    ]


def test_a_quantized_file_names_its_format(tmp_path: Path) -> None:
    assert read_metadata(write_tiny_gguf(tmp_path / "q.gguf", tensor_type="Q8_0")).quantization == "Q8_0"


def test_without_a_file_type_the_commonest_tensor_type_counts(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", lambda _: None)

    assert read_metadata(path).quantization == "F32"


def test_heads_may_differ_from_layer_to_layer(tmp_path: Path) -> None:
    def add(writer: gguf.GGUFWriter) -> None:
        writer.add_block_count(3)
        writer.add_embedding_length(64)
        writer.add_head_count(4)
        writer.add_head_count_kv([0, 2, 1])
        writer.add_key_length(32)

    path = write_model(tmp_path / "m.gguf", "hybrid", add)

    assert read_metadata(path).kv_bytes_per_token == 3 * (32 + 16) * 2


@pytest.mark.parametrize(
    ("architecture", "general_type", "purpose"),
    [
        ("llama", "model", "chat"),
        ("llama", "adapter", "adapter"),
        ("clip", "mmproj", "projector"),
        ("bert", "model", "embedding"),
    ],
)
def test_tells_what_a_file_is_for(tmp_path: Path, architecture: str, general_type: str, purpose: str) -> None:
    path = write_model(tmp_path / "m.gguf", architecture, lambda writer: writer.add_type(general_type))

    assert read_metadata(path).purpose == purpose


def test_a_pooling_model_is_for_embedding(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "qwen3", lambda w: w.add_pooling_type(gguf.PoolingType.LAST))

    assert read_metadata(path).purpose == "embedding"


def test_a_file_without_weights_is_a_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "vocab.gguf"
    path.write_bytes(file_bytes(ARCHITECTURE))

    assert read_metadata(path).purpose == "vocabulary"


def test_a_later_part_needs_no_architecture(tmp_path: Path) -> None:
    path = tmp_path / "m-00002-of-00003.gguf"
    split = [field_bytes(f"split.{key}", 2, struct.pack("<H", n)) for key, n in (("no", 1), ("count", 3))]
    path.write_bytes(file_bytes(*split))

    found = read_metadata(path)

    assert (found.purpose, found.num_parts) == ("part", 3)


def test_labels_are_one_bounded_line(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", lambda w: w.add_name("a\nb" + "x" * 10_000))

    assert read_metadata(path).name == "a b" + "x" * 197


def test_reads_a_large_vocabulary_fast(tmp_path: Path) -> None:
    def add(writer: gguf.GGUFWriter) -> None:
        writer.add_token_list([f"token{n}" for n in range(150_000)])
        writer.add_token_types([1] * 150_000)
        writer.add_token_merges([f"to ken{n}" for n in range(150_000)])

    path = write_model(tmp_path / "m.gguf", "llama", add)

    seconds = min(_cpu_seconds(lambda: read_metadata(path)) for _ in range(3))

    assert read_metadata(path).num_vocabulary == 150_000
    assert seconds < 0.15  # 25 ms on the machine this was written on


def _cpu_seconds(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    error = error_of(tmp_path / "gone.gguf")

    assert error.message == "gone.gguf cannot be read: no such file or directory."
    assert error.hint


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "folder.gguf").mkdir()

    assert error_of(tmp_path / "folder.gguf").message == "folder.gguf is not a file."


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")

    assert error_of(tmp_path / "pipe.gguf").message == "pipe.gguf is not a file."


def test_truncated_weights_are_noticed(tiny: Path, tmp_path: Path) -> None:
    error = error_of_bytes(tmp_path, tiny.read_bytes()[:-100_000])

    assert error.message == "bad.gguf is cut off: 0.4 of 0.5 MB are there."
    assert "download" in error.hint.lower()


def test_one_missing_byte_is_noticed(tiny: Path, tmp_path: Path) -> None:
    assert "is cut off" in error_of_bytes(tmp_path, tiny.read_bytes()[:-1]).message


def test_text_is_not_gguf(tmp_path: Path) -> None:
    assert error_of_bytes(tmp_path, b"<!doctype html>").message == "bad.gguf is not a GGUF file."


BAD_FILES = {
    "empty": (b"", "is empty"),
    "only the magic": (b"GGUF", "is cut off inside its header"),
    "version 1": (file_bytes(version=1), "has GGUF version 1"),
    "big-endian": (file_bytes(version=3 << 24), "big-endian"),
    "no architecture": (file_bytes(), "does not name its architecture"),
    "architecture is a number": (
        file_bytes(field_bytes("general.architecture", U32, bytes(4))),
        "general.architecture makes no sense",
    ),
    "unknown value type": (file_bytes(field_bytes("x", 99, b"")), "unknown type 99"),
    "nested list": (
        file_bytes(field_bytes("x", ARRAY, struct.pack("<IQ", ARRAY, 1) + bytes(12))),
        "unknown type 9",
    ),
    "field twice": (file_bytes(ARCHITECTURE, ARCHITECTURE), "twice"),
    "2^60 fields": (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "metadata fields"),
    "2^60 tensors": (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "tensors"),
    "2^63 characters": (file_bytes(field_bytes("x", STRING, struct.pack("<Q", 2**63))), "bytes of text"),
    "60 MB that are not there": (
        file_bytes(field_bytes("x", STRING, struct.pack("<Q", 60_000_000))),
        "is cut off inside its header",
    ),
    "2^62 items": (
        file_bytes(field_bytes("x", ARRAY, struct.pack("<IQ", U64, 2**62))),
        "items in a list",
    ),
    "a list of texts that are not there": (
        file_bytes(field_bytes("x", ARRAY, struct.pack("<IQ", STRING, 60_000_000))),
        "is cut off inside its header",
    ),
    "a text in a list that leads beyond the end of memory": (
        file_bytes(field_bytes("x", ARRAY, struct.pack("<IQQ", STRING, 2, 2**64 - 1))),
        "its header has no end",
    ),
    "alignment 0": (
        file_bytes(ARCHITECTURE, field_bytes("general.alignment", U32, bytes(4))),
        "alignment is no power of two",
    ),
    "alignment 2^31": (
        file_bytes(ARCHITECTURE, field_bytes("general.alignment", U32, struct.pack("<I", 2**31))),
        "alignment is no power of two",
    ),
    "negative count": (
        file_bytes(ARCHITECTURE, field_bytes("llama.block_count", 5, struct.pack("<i", -1))),
        "llama.block_count makes no sense",
    ),
    "template of 2 MB": (
        file_bytes(ARCHITECTURE, field_bytes("tokenizer.chat_template", STRING, text_bytes("x" * 2**21))),
        "too many to be meant well",
    ),
    "five dimensions": (
        file_bytes(ARCHITECTURE, tensors=tensor_bytes(dimensions=(1,) * 5), num_tensors=1),
        "5 dimensions",
    ),
    "unknown tensor type": (
        file_bytes(ARCHITECTURE, tensors=tensor_bytes(type_number=77), num_tensors=1),
        "number 77",
    ),
    "half a block": (
        file_bytes(ARCHITECTURE, tensors=tensor_bytes(dimensions=(33,), type_number=8), num_tensors=1),
        "rows of 33 weights do not fit Q8_0",
    ),
    "sizes that overflow 64 bits": (
        file_bytes(ARCHITECTURE, tensors=tensor_bytes(dimensions=(2**63,) * 4), num_tensors=1),
        "is cut off",
    ),
    "tensors on top of one another": (
        file_bytes(ARCHITECTURE, tensors=tensor_bytes("a") + tensor_bytes("b"), num_tensors=2) + bytes(99),
        "the tensor 'b' is out of place",
    ),
    "the same tensor twice": (
        file_bytes(ARCHITECTURE, tensors=tensor_bytes() + tensor_bytes(offset=32), num_tensors=2) + bytes(99),
        "the tensor 't' is out of place",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_says_what_is_wrong(tmp_path: Path, case: str) -> None:
    content, words = BAD_FILES[case]

    error = error_of_bytes(tmp_path, content)

    assert words in error.message
    assert error.hint


def test_thousands_of_mutants_raise_nothing_else_and_end_soon(tiny: Path, tmp_path: Path) -> None:
    original = tiny.read_bytes()
    path = tmp_path / "mutant.gguf"
    path.write_bytes(original)
    with tiny.open("rb") as file:
        header = original[: read_header(file).data_start]
    rng = random.Random(1)

    num_refused = 0
    with path.open("r+b", buffering=0) as file:
        for _ in range(3000):
            file.seek(0)
            file.write(_mutant(header, rng))
            start = time.process_time()
            try:
                read_metadata(path)
            except ModelUnreadable:
                num_refused += 1
            assert time.process_time() - start < 2.0

    assert 1000 < num_refused < 3000


def _mutant(header: bytes, rng: random.Random) -> bytes:
    """The header with bytes flipped, or eight bytes set to a number that breaks length fields."""
    mutant = bytearray(header)
    for _ in range(rng.randint(1, 4)):
        # The vocabulary fills most of the header: half of the hits go to the first kilobyte.
        place = rng.randrange(rng.choice((1024, len(mutant))))
        if rng.random() < 0.5:
            mutant[place] = rng.randrange(256)
        else:
            number = rng.choice((0, 2**16, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1, 2**26, 2**40))
            mutant[place : place + 8] = struct.pack("<Q", number)
    return bytes(mutant[: len(header)])


@given(content=st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_junk_after_the_magic_is_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + content)

    error_of(path)
