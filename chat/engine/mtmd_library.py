"""The one importer of llama.cpp's multimodal library (mtmd); imported only for a model that sees."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from llama_cpp import mtmd_cpp as mtmd

from chat.domain.errors import ModelUnreadable, ModelUnsupported
from chat.engine.llama_library import is_null, log

__all__ = ["MARKER", "is_null", "log", "mtmd", "open_projector"]

MARKER = b"<__media__>"
# A picture of more than these takes a processor minutes, and most of a context. Only some models ask for more.
MAX_IMAGE_TOKENS = 1024

# Without it a picture of 4096 patches needs a gigabyte for each layer's attention.
_FLASH_ATTENTION_AUTO, _FLASH_ATTENTION_ON = -1, 1

mtmd.mtmd_helper_log_set(log.callback, ctypes.c_void_p(0))


def open_projector(path: Path, model: Any, *, num_threads: int, has_gpu: bool) -> Any:
    """Load what turns pictures into rows for `model`.

    Raises: ModelUnreadable when it cannot be loaded or is another model's, ModelUnsupported when it only hears.
    """
    params = mtmd.mtmd_context_params_default()
    params.use_gpu = has_gpu
    params.print_timings = False
    params.n_threads = num_threads
    params.media_marker = MARKER
    params.flash_attn_type = _FLASH_ATTENTION_AUTO if has_gpu else _FLASH_ATTENTION_ON
    params.warmup = has_gpu  # on a processor it takes as long as a picture
    params.image_max_tokens = MAX_IMAGE_TOKENS
    log.clear()
    context = mtmd.mtmd_init_from_file(os.fsencode(path), model, params)
    if is_null(context):
        raise _load_error(path, log.text())
    if not mtmd.mtmd_support_vision(context):
        mtmd.mtmd_free(context)
        raise ModelUnsupported(
            f"{path.name} hears, but does not see.", hint="Take it out of the models folder."
        )
    return context


def _load_error(path: Path, reason: str) -> ModelUnreadable:
    what = "was made for another model" if "mismatch" in reason else "cannot be loaded"
    return ModelUnreadable(
        f"{path.name}, with which this model sees, {what}.",
        hint="Download the one that belongs to the model, or take this one out of the models folder.",
    )
