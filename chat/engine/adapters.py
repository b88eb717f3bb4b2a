"""LoRA adapters: which of them fit which model, told from the headers of both files. Knows no llama.cpp.

An adapter changes weights of one base model by the product of two small matrices each: weight `W` of r rows and c
columns becomes W + alpha / rank x B A, with `W.lora_a` of c columns and rank rows and `W.lora_b` of rank columns and r
rows. Source: convert_lora_to_gguf.py and llama-adapter.cpp of llama.cpp.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from chat.domain.errors import ModelError, ModelUnreadable, ModelUnsupported
from chat.domain.params import AdapterFile
from chat.engine.gguf import GgufMetadata
from chat.engine.gguf_header import MAX_DIMENSIONS
from chat.engine.model_files import ModelFile, ModelInfo

Shape = tuple[int, ...]

# Stands between the names of a model and of an adapter.
JOINT = "+"
_MAX_REASONS = 3

_PAIR = (".lora_a", ".lora_b")
# llama.cpp looks embeddings up instead of multiplying by them: there A and B have changed places.
_EMBEDDINGS = "token_embd.weight"


def problem_with(adapter: GgufMetadata) -> ModelError | None:
    """Why it can be used with no model at all; None when it can, where it fits."""
    about = adapter.adapter
    name = adapter.path.name
    if about is None or about.kind != "lora":
        return ModelUnsupported(f"{name} is an adapter of a kind that cannot be used: only LoRA can.")
    if about.is_activated:
        return ModelUnsupported(
            f"{name} is an adapter that begins only at certain words, which is not supported."
        )
    if not any(weight.endswith(_PAIR) for weight in adapter.shapes):
        return ModelUnreadable(f"{name} is damaged: it changes no weights.")
    return None


def reason_against(adapter: GgufMetadata, base: GgufMetadata) -> str:
    """Why the adapter is not for this model, as the end of a sentence; "" when it is."""
    if adapter.architecture != base.architecture:
        return f"it was made for a model of the kind {adapter.architecture}, not {base.architecture}"
    return next(_mismatches(adapter, base), "")


def with_adapters(models: list[ModelInfo]) -> list[ModelInfo]:
    """Each model with what adapters make of it; an adapter that fits none says why."""
    taken = {model.name for model in models}
    adapters = [model.adapter for model in models if model.adapter]
    bases = [model.file for model in models if model.file]

    def beside_the_others(model: ModelInfo) -> ModelInfo:
        if base := model.file:
            adapted = [_adapted(base, adapter) for adapter in adapters if _is_for(adapter, base)]
            return replace(model, adapted=tuple(file for file in adapted if file.name not in taken))
        if model.adapter and not any(_is_for(model.adapter, base) for base in bases):
            return replace(model, adapter=None, error=_fits_none(model.adapter, bases))
        return model

    return [beside_the_others(model) for model in models]


def _is_for(adapter: ModelFile, base: ModelFile) -> bool:
    return not reason_against(adapter.metadata, base.metadata)


def _adapted(base: ModelFile, adapter: ModelFile) -> ModelFile:
    (state,) = adapter.states
    version = f"{state.inode}-{state.modified_ns}-{state.size_bytes}"
    return replace(
        base,
        name=f"{base.name}{JOINT}{adapter.name}",
        states=(*base.states, state),
        base=base,
        adapter=AdapterFile(adapter.path, version),
    )


def _fits_none(adapter: ModelFile, bases: Iterable[ModelFile]) -> ModelError:
    kind = adapter.metadata.architecture
    relatives = [base for base in bases if base.metadata.architecture == kind][:_MAX_REASONS]
    reasons = [f"{base.name}: {reason_against(adapter.metadata, base.metadata)}" for base in relatives]
    return ModelUnsupported(
        f"{adapter.path.name} is an adapter for a model of the kind {kind} that is not here."
        + (f" ({'; '.join(reasons)}.)" if reasons else ""),
        hint="Put the model that it was made for into the folder.",
    )


def misfit(models: Iterable[ModelInfo], name: str) -> ModelError | None:
    """Why a model and an adapter that are both there do not go together."""
    known = {model.name: model for model in models}
    for end in (end for end, letter in enumerate(name) if letter == JOINT):
        base, adapter = known.get(name[:end]), known.get(name[end + 1 :])
        if base and base.file and adapter and adapter.adapter:
            reason = reason_against(adapter.adapter.metadata, base.file.metadata)
            return ModelUnsupported(f"The adapter {adapter.name} is not for {base.name}: {reason}.")
        if base and base.file and adapter and adapter.error:
            return adapter.error
    return None


def rank_of(adapter: GgufMetadata) -> int:
    """The larger, the more it can change; 0 for one without weights."""
    ranks = (shape[0] for name, shape in adapter.shapes.items() if name.endswith(".lora_b") and shape)
    return max(ranks, default=0)


def _mismatches(adapter: GgufMetadata, base: GgufMetadata) -> Iterator[str]:
    for name in adapter.shapes:
        weight, suffix = name[:-7], name[-7:]
        if suffix not in _PAIR:
            if not name.endswith("_norm.weight"):  # llama.cpp passes these over
                yield f"it has weights of an unknown kind ({name[:100]})"
            continue
        a, b = (adapter.shapes.get(weight + end) for end in _PAIR)
        if a is None or b is None:
            yield f"one half of its change to {weight[:100]} is missing"
        elif weight not in base.shapes:
            yield f"the model has no {weight[:100]}"
        elif not _fits(weight, a, b, base.shapes[weight]):
            yield f"{weight[:100]} has another shape in this model"


def _fits(weight: str, a: Shape, b: Shape, base: Shape) -> bool:
    (a_columns, a_rows, *a_rest), (b_columns, b_rows, *b_rest), (columns, rows, *rest) = map(
        _whole, (a, b, base)
    )
    if not a_rest == b_rest == rest:
        return False
    if weight == _EMBEDDINGS:
        return (b_rows, a_rows, a_columns) == (columns, rows, b_columns)
    return (a_columns, b_rows, a_rows) == (columns, rows, b_columns)


def _whole(shape: Shape) -> Shape:
    """With the dimensions of length 1 that a file may leave out."""
    return (*shape, *(1,) * (MAX_DIMENSIONS - len(shape)))
