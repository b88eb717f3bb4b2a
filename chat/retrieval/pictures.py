"""From a picture of any kind to a small PNG or JPEG, in a child process that is confined and ended in time.

Nothing else may decode a stranger's picture: a decompression bomb or a hole in a decoder costs a child.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import subprocess
import tempfile
import threading
from collections.abc import Sequence

from chat.domain.errors import InvalidInput
from chat.domain.messages import ImagePart
from chat.retrieval.confined import start_confined
from chat.retrieval.kinds import display_name
from chat.retrieval.sandbox import Limits

logger = logging.getLogger(__name__)

READABLE_PICTURES = "PNG, JPEG, WebP, GIF and BMP"
MAX_PICTURES = 8
MAX_PICTURE_BYTES = 20 * 2**20
EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")

_CHILD = "chat.retrieval.picture_child"
_LIMITS = Limits(cpu_s=10, wall_s=60)
# Each may take half a gigabyte.
_places = threading.BoundedSemaphore(2)


def is_picture(filename: str) -> bool:
    """By its name alone; whether it can be read shows when it is read."""
    return filename.lower().endswith(EXTENSIONS)


def read_picture(content: bytes, name: str) -> ImagePart:
    """Blocks for a fraction of a second. The same file always gives the same bytes.

    Raises: InvalidInput with a sentence for the person.
    """
    name = display_name(name)
    if len(content) > MAX_PICTURE_BYTES:
        raise InvalidInput(f"{name} is larger than {MAX_PICTURE_BYTES // 2**20} MB.")
    with _places, tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as output:
        file.write(content)
        file.seek(0)
        child = start_confined(_CHILD, "picture", file, output, _LIMITS)
        status = _wait(child)
        output.seek(0)
        head, _, data = output.read().partition(b"\n")
    if status != 0:
        logger.warning("a reader of pictures ended with status %s", status)
        raise InvalidInput(f"{name} cannot be read: it is damaged, or takes too long.")
    found = json.loads(head)
    if "error" in found:
        raise InvalidInput(f"{name} {found['error']}", hint=found["hint"])
    return ImagePart(name, found["width"], found["height"], data=data)


def picture_in_data_url(url: str, name: str, field: str) -> ImagePart:
    """The picture of a data: URL. Raises: InvalidInput naming the field, also for any other address."""
    head, comma, body = url.partition(",")
    if not head.startswith("data:"):
        raise InvalidInput(
            f"{field} is no data: URL: this server fetches nothing from the net.",
            hint="Send the picture itself, as data:image/png;base64,...",
            field=field,
        )
    if not comma or not head.endswith(";base64"):
        raise InvalidInput(f"{field} must begin with data:image/png;base64, or the like.", field=field)
    return picture_in_base64(body, name, field)


def picture_in_base64(text: str, name: str, field: str) -> ImagePart:
    """The picture of a base64 text. Raises: InvalidInput naming the field."""
    if len(text) > MAX_PICTURE_BYTES * 4 // 3 + 4:
        raise InvalidInput(f"{field} is larger than {MAX_PICTURE_BYTES // 2**20} MB.", field=field)
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidInput(f"{field} is no base64.", field=field) from exc
    try:
        return read_picture(content, name)
    except InvalidInput as exc:
        raise InvalidInput(exc.message, hint=exc.hint, field=field) from exc


def check_count(pictures: Sequence[object], field: str = "") -> None:
    """Raises: InvalidInput for more than one message may have."""
    if len(pictures) > MAX_PICTURES:
        raise InvalidInput(f"A message may have at most {MAX_PICTURES} pictures.", field=field)


def _wait(child: subprocess.Popen[bytes]) -> int | None:
    """Its exit status, None when it took too long."""
    try:
        return child.wait(_LIMITS.wall_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        child.kill()
        child.wait()
