"""Zip archives: is it safe to unpack one?"""

from __future__ import annotations

import zipfile
from typing import BinaryIO

from chat.domain.errors import InvalidInput

MAX_ENTRIES = 200
MAX_UNPACKED_BYTES = 50 * 2**20
MAX_RATIO = 100


def check_archive(file: BinaryIO) -> None:
    """Look at the table of contents only; sizes that lie are found out while unpacking, which stops at them.

    Raises: InvalidInput, zipfile.BadZipFile.
    """
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    num_bytes = sum(entry.file_size for entry in entries)
    packed_bytes = sum(entry.compress_size for entry in entries)
    if len(entries) > MAX_ENTRIES:
        raise InvalidInput(f"The file has {len(entries):,} parts; Parley opens at most {MAX_ENTRIES}.")
    if num_bytes > MAX_UNPACKED_BYTES or num_bytes > MAX_RATIO * max(packed_bytes, 1):
        raise InvalidInput(f"The file unpacks to {num_bytes / 2**20:,.0f} MB, which is more than is safe.")
    file.seek(0)
