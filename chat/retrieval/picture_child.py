"""The child that reads one picture: `python -m chat.retrieval.picture_child`, the file is its standard input.

Its answer goes to standard output: a line of JSON, then the picture as a PNG or JPEG of its own making: upright, on
white, without metadata, and no larger than models look at.
"""

from __future__ import annotations

import json
import signal
import sys
from io import BytesIO
from typing import Any, BinaryIO

# The plugins by name, before the doors close: Pillow would look for them in the middle of its work.
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from chat.domain.errors import InvalidInput
from chat.retrieval.sandbox import Limits, confine

FORMATS = [
    plugin.format
    for plugin in (
        PngImagePlugin.PngImageFile,
        JpegImagePlugin.JpegImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
        BmpImagePlugin.BmpImageFile,
    )
]
MAX_PIXELS = 50_000_000
MAX_SIDE = 1568
MIN_SIDE = 8
MAX_PNG_BYTES = 2 * 2**20
JPEG_QUALITY = 90

_LOSSLESS = ("PNG", "GIF", "BMP")


def main() -> None:
    """Read what the arguments say: the kind, then the limits."""
    _kind, cpu_s, wall_s, memory_bytes = sys.argv[-4:]
    confine(Limits(int(cpu_s), int(wall_s), int(memory_bytes)))
    # Ctrl-C reaches the whole group: the parent decides when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    head, data = _answer(sys.stdin.buffer)
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + data)


def _answer(file: BinaryIO) -> tuple[dict[str, Any], bytes]:
    try:
        return _read(file)
    except InvalidInput as error:
        return {"error": error.message, "hint": error.hint}, b""
    except UnidentifiedImageError:
        return {"error": "is no picture that can be read.", "hint": "Use PNG, JPEG, WebP, GIF or BMP."}, b""
    except MemoryError:
        return {"error": "needs more memory than is allowed.", "hint": "Make it smaller."}, b""
    except Exception as exc:  # noqa: BLE001 - the border of the decoders: damage makes them raise anything
        return {"error": f"is damaged: it cannot be read ({type(exc).__name__}).", "hint": ""}, b""


def _read(file: BinaryIO) -> tuple[dict[str, Any], bytes]:
    Image.MAX_IMAGE_PIXELS = None  # we count ourselves: Pillow only warns
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise InvalidInput(
                f"has {image.width:,} by {image.height:,} pixels: too many.", hint="Make it smaller."
            )
        is_lossless = image.format in _LOSSLESS
        picture = _on_white(_upright(image))
    if min(picture.size) < MIN_SIDE:
        raise InvalidInput("is too narrow to be looked at.", hint="Cut out what it is about.")
    head = {"width": picture.width, "height": picture.height}
    return head, _encoded(picture, is_lossless=is_lossless)


def _upright(image: Image.Image) -> Image.Image:
    """At most MAX_SIDE long, turned as the camera says; of an animation the first picture."""
    image.draft("RGB", (MAX_SIDE, MAX_SIDE))  # lets a JPEG's decoder leave out what would be thrown away
    shown = image if image.mode in ("RGB", "RGBA", "L") else image.convert("RGBA")
    shown.thumbnail((MAX_SIDE, MAX_SIDE))
    return ImageOps.exif_transpose(shown)


def _on_white(image: Image.Image) -> Image.Image:
    """Without a transparent part, and without metadata, since it is a new picture."""
    picture = Image.new("RGB", image.size, "white")
    picture.paste(image, mask=image if image.mode == "RGBA" else None)
    return picture


def _encoded(picture: Image.Image, *, is_lossless: bool) -> bytes:
    """Writing stays sharp as a PNG; of what a camera saw it would be ten times as large."""
    buffer = BytesIO()
    if is_lossless:
        picture.save(buffer, "PNG")
    if not 0 < buffer.tell() <= MAX_PNG_BYTES:
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
