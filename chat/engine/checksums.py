"""SHA256SUMS in the models folder: what the files hashed to when they came; `sha256sum --check` reads it too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

FILE_NAME = "SHA256SUMS"
BLOCK_BYTES = 1 << 20

_LINE = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>.+)", re.ASCII)
_lock = Lock()


def known_checksums(folder: Path) -> dict[str, str]:
    """Digests by the file's name; empty when nothing was downloaded yet. Lines of another form are left out."""
    try:
        lines = (folder / FILE_NAME).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {found["name"]: found["digest"] for line in lines if (found := _LINE.fullmatch(line))}


def note_checksums(folder: Path, digests: dict[str, str]) -> None:
    """Add or change those of `digests`; files that are gone are left out. Raises: OSError."""
    with _lock:
        every = known_checksums(folder) | digests
        lines = [f"{digest}  {name}\n" for name, digest in sorted(every.items()) if (folder / name).exists()]
        if lines or every:
            (folder / FILE_NAME).write_text("".join(lines), encoding="utf-8")


def blocks_of(path: Path) -> Iterator[bytes]:
    """The content of a file, a megabyte at a time."""
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def sha256_of(path: Path, on_block: Callable[[int], None] = lambda _num_bytes: None) -> str:
    """The file's digest; `on_block` hears how many bytes were read since it heard last."""
    digest = hashlib.sha256()
    for block in blocks_of(path):
        digest.update(block)
        on_block(len(block))
    return digest.hexdigest()
