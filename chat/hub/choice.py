"""Which files of a repository are the model that was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from chat.domain.errors import PullFailed
from chat.hub.names import HubName, is_file_name

# The first that a repository has. Four bits lose little and need the least; on processors with AMX Q8_0 is faster.
USUAL = ("Q4_K_M", "Q8_0")

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.ASCII | re.IGNORECASE)
_LABEL = re.compile(
    r"(?<![A-Za-z0-9])((?:I?Q|TQ)\d(?:_[A-Z0-9]+)*|BF16|F16|F32|FP16|MXFP4(?:_MOE)?)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
# Beside the model: the part that sees, and what quantising was measured on.
_ASIDE = ("mmproj", "imatrix")


@dataclass(frozen=True, slots=True)
class HubFile:
    """`sha256` is the hub's own, empty for a file outside of its large-file store."""

    path: str
    size_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """Without folders: the name that it gets here."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, slots=True)
class Variant:
    """One model of a repository: a file, or all files of a split one in their order."""

    files: tuple[HubFile, ...]

    @property
    def name(self) -> str:
        """The model's name in our folder."""
        first = self.files[0].name
        part = _PART.fullmatch(first)
        return part["stem"] if part else first[: -len(".gguf")]

    @property
    def quantization(self) -> str:
        """As its name tells it, in capitals; "" when it does not."""
        labels = _LABEL.findall(self.files[0].path)
        return labels[-1].upper() if labels else ""

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)


def variants_of(files: Iterable[HubFile]) -> list[Variant]:
    """The models of a repository, the smallest first. Names that cannot be ours, and halves of models, are left out."""
    groups: dict[str, list[HubFile]] = {}
    for file in sorted(files, key=lambda file: file.path):
        if is_file_name(file.path) and not any(word in file.name.lower() for word in _ASIDE):
            part = _PART.fullmatch(file.path)
            groups.setdefault(f"{part['stem']} {part['count']}" if part else file.path, []).append(file)
    variants = [Variant(tuple(group)) for group in groups.values() if _is_whole(group)]
    return sorted(variants, key=lambda variant: variant.size_bytes)


def choose(name: HubName, files: Sequence[HubFile]) -> Variant:
    """The variant that `name` means. Raises: PullFailed naming what there is."""
    if name.file:
        return _by_file(name, files)
    variants = variants_of(files)
    for wanted in (name.quantization,) if name.quantization else USUAL:
        fitting = [variant for variant in variants if variant.quantization == wanted.upper()]
        if fitting:
            return min(fitting, key=lambda variant: len(variant.files[0].path))
    if len(variants) == 1 and not name.quantization:
        return variants[0]
    raise _not_there(name, variants)


def _by_file(name: HubName, files: Sequence[HubFile]) -> Variant:
    for variant in variants_of(files):
        if name.file in (file.path for file in variant.files):
            return variant
    for file in files:  # what is left out of the list may still be asked for by its name
        if file.path == name.file and not _PART.fullmatch(file.path):
            return Variant((file,))
    raise _not_there(name, variants_of(files))


def _is_whole(group: Sequence[HubFile]) -> bool:
    part = _PART.fullmatch(group[0].path)
    return part is None or len(group) == int(part["count"])


def _not_there(name: HubName, variants: Sequence[Variant]) -> PullFailed:
    if not variants:
        return PullFailed(
            f"{name.repo} has no GGUF files.",
            hint="Look for a repository of the model whose name ends in GGUF.",
        )
    labels = ", ".join(dict.fromkeys(variant.quantization or variant.name for variant in variants))
    wanted = f"no file {name.file}" if name.file else f"no model in {name.quantization or ' or '.join(USUAL)}"
    return PullFailed(f"{name.repo} has {wanted}.", hint=f"There are: {labels}.")
