"""A model's eye: pictures in, their place in a prompt and their rows in a slot out. Knows no sequences.

Tells a picture's stretches apart by pseudo tokens: below zero, as many as the stretch has positions, and drawn from a
hash of the picture, so that prompts with the same picture begin alike and those with another one do not.
"""

from __future__ import annotations

import ctypes
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from chat.domain.errors import EngineFailed, InvalidInput
from chat.domain.messages import ImagePart
from chat.engine.backend import BatchAborted, BatchTooLarge, ImageLayout, ImageStretch
from chat.engine.config import EngineConfig
from chat.engine.llama_library import library, thread_count
from chat.engine.mtmd_library import MARKER, is_null, log, mtmd, open_projector

_MAX_REMEMBERED = 32  # each holds its picture: up to two megabytes
_RC_NO_ROOM = 1
_RC_ABORTED = 2
_NO_CALLBACK = mtmd.mtmd_helper_post_decode_callback()


class LlamaVision:
    """A projector beside its model and context. `layout` may be called from any thread; see `Vision` for the calls."""

    def __init__(self, path: Path, model: Any, context: Any, abort_flag: Any, config: EngineConfig) -> None:
        """`abort_flag` is the one that `llama_decode` on `context` obeys. Raises: ModelUnreadable, ModelUnsupported."""
        self._projector = open_projector(
            path, model, num_threads=thread_count(config), has_gpu=bool(config.gpu_layers)
        )
        self._context = context
        self._abort_flag = abort_flag
        self._max_rows = int(library.llama_n_ubatch(context))
        self._layouts: OrderedDict[bytes, ImageLayout] = OrderedDict()
        self._lock = threading.Lock()

    def layout(self, image: ImagePart) -> ImageLayout:
        """See `Vision.layout`; the layouts of the last pictures are remembered."""
        digest = hashlib.sha256(image.data).digest()
        with self._lock:
            if digest in self._layouts:
                self._layouts.move_to_end(digest)
                return self._layouts[digest]
        with self._chunks(image) as chunks:
            layout = self._layout(image, digest, chunks)
        with self._lock:
            self._layouts[digest] = layout
            if len(self._layouts) > _MAX_REMEMBERED:
                self._layouts.popitem(last=False)
        return layout

    def read(self, slot: int, start: int, stretch: ImageStretch) -> None:
        """See `Vision.read`. Only the second half, the decode, can be broken off."""
        self._abort_flag[0] = b"\0"
        with self._chunks(stretch.image) as chunks:
            chunk = chunks[stretch.number]
            if mtmd.mtmd_encode_chunk(self._projector, chunk) != 0:
                raise EngineFailed(f"The picture could not be computed. {log.text()}".rstrip())
            end = self._decode(chunk, slot, start)
        if end - start != stretch.num_positions:
            raise EngineFailed("A picture took another place than was planned for it.")

    def close(self) -> None:
        """Free the projector."""
        mtmd.mtmd_free(self._projector)

    def _decode(self, chunk: Any, slot: int, start: int) -> int:
        """Append the rows that were computed last; returns the position after them. The helper knows what each kind of
        model wants: positions in three dimensions, rows that look at one another both ways.
        """
        end = library.llama_pos(0)
        rows = mtmd.mtmd_get_output_embd(self._projector)
        place = (start, slot, self._max_rows, ctypes.byref(end))
        _check(
            mtmd.mtmd_helper_decode_image_chunk(
                self._projector, self._context, chunk, rows, *place, _NO_CALLBACK, None
            )
        )
        return int(end.value)

    def _layout(self, image: ImagePart, digest: bytes, chunks: list[Any]) -> ImageLayout:
        token_ids: list[int] = []
        stretches: list[ImageStretch] = []
        num_cells = 0
        for number, chunk in enumerate(chunks):
            num_rows = int(mtmd.mtmd_input_chunk_get_n_tokens(chunk))
            num_cells += num_rows
            if mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
                token_ids += _text_tokens(chunk)
                continue
            # Its rows look at one another both ways: llama.cpp aborts when they are not computed together.
            if num_rows > self._max_rows and mtmd.mtmd_decode_use_non_causal(self._projector, chunk):
                raise InvalidInput(f"The picture takes {num_rows} rows at once: more than fit into one step.")
            num_positions = int(mtmd.mtmd_input_chunk_get_n_pos(chunk))
            stretches.append(ImageStretch(image, number, len(token_ids), num_positions))
            token_ids += pseudo_tokens(digest, number, num_positions)
        return ImageLayout(tuple(token_ids), tuple(stretches), num_cells)

    @contextmanager
    def _chunks(self, image: ImagePart) -> Iterator[list[Any]]:
        """The picture as llama.cpp cuts it, with the tokens that the model wants around it."""
        log.clear()
        with (
            _freed(self._bitmap(image), mtmd.mtmd_bitmap_free) as bitmap,
            _freed(mtmd.mtmd_input_chunks_init(), mtmd.mtmd_input_chunks_free) as chunks,
        ):
            text = mtmd.mtmd_input_text(MARKER, len(MARKER), False, True)
            bitmaps = (ctypes.c_void_p * 1)(bitmap)
            status = mtmd.mtmd_tokenize(self._projector, chunks, ctypes.byref(text), bitmaps, 1)
            if status != 0:
                raise InvalidInput(f"The model cannot take the picture {image.name}.")
            count = int(mtmd.mtmd_input_chunks_size(chunks))
            yield [mtmd.mtmd_input_chunks_get(chunks, number) for number in range(count)]

    def _bitmap(self, image: ImagePart) -> Any:
        buffer = (ctypes.c_uint8 * len(image.data)).from_buffer_copy(image.data)
        bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(self._projector, buffer, len(image.data), False)
        if is_null(bitmap):
            raise InvalidInput(
                f"The picture {image.name} cannot be read: it is damaged.", hint="Send it as PNG or JPEG."
            )
        return bitmap


def pseudo_tokens(digest: bytes, number: int, count: int) -> list[int]:
    """Numbers below zero that stand for stretch `number` of the picture: no token has one."""
    noise = hashlib.shake_256(digest + number.to_bytes(4, "big")).digest(4 * count)
    return [int(word) for word in np.frombuffer(noise, dtype=np.int32) | np.int32(-(2**31))]


def _text_tokens(chunk: Any) -> list[int]:
    count = ctypes.c_size_t()
    tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
    return [int(token) for token in tokens[: count.value]]


def _check(status: int) -> None:
    if status == _RC_NO_ROOM:
        raise BatchTooLarge
    if status == _RC_ABORTED:
        raise BatchAborted
    if status != 0:
        raise EngineFailed(f"llama.cpp refused a picture (code {status}). {log.text()}".rstrip())


@contextmanager
def _freed(handle: Any, free: Callable[[Any], None]) -> Iterator[Any]:
    try:
        yield handle
    finally:
        free(handle)
