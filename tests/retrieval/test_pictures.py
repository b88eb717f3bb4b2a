"""Pictures of all kinds become small ones; what is none, or too much, is refused in words."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from chat.domain.errors import InvalidInput
from chat.retrieval.pictures import is_picture, read_picture


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def shown(content: bytes) -> Image.Image:
    """What a reader of the result sees."""
    return Image.open(BytesIO(content))


@pytest.mark.parametrize(
    ("kind", "mode", "becomes"),
    [
        ("PNG", "RGBA", "PNG"),
        ("PNG", "1", "PNG"),
        ("GIF", "P", "PNG"),
        ("BMP", "RGB", "PNG"),
        ("JPEG", "L", "JPEG"),
        ("JPEG", "CMYK", "JPEG"),
        ("WEBP", "RGB", "JPEG"),
    ],
)
def test_every_kind_becomes_a_png_or_a_jpeg(kind: str, mode: str, becomes: str) -> None:
    picture = read_picture(encoded(Image.new(mode, (60, 40)), kind), "a.x")

    found = shown(picture.data)
    assert (found.format, found.mode, found.size) == (becomes, "RGB", (60, 40))
    assert (picture.width, picture.height) == (60, 40)


def test_a_large_one_gets_smaller_and_stands_upright_without_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    exif[0x010F] = "A camera"
    photo = encoded(Image.new("RGB", (4000, 3000), "red"), "JPEG", exif=exif, comment=b"at home")

    picture = read_picture(photo, "IMG_1.JPG")

    found = shown(picture.data)
    assert found.size == (picture.width, picture.height) == (1176, 1568)
    assert not found.getexif()
    assert b"camera" not in picture.data
    assert b"at home" not in picture.data


def test_what_is_transparent_is_white() -> None:
    picture = read_picture(encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 0)), "PNG"), "a.png")

    assert shown(picture.data).getpixel((5, 5)) == (255, 255, 255)


def test_the_same_file_gives_the_same_bytes() -> None:
    content = encoded(Image.effect_noise((200, 100), 60), "PNG")

    assert read_picture(content, "a.png") == read_picture(content, "a.png")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (encoded(Image.new("1", (20_000, 20_000)), "PNG"), "20,000 by 20,000 pixels: too many"),
        (encoded(Image.effect_noise((300, 300), 60), "PNG")[:5000], "is damaged"),
        (encoded(Image.new("RGB", (3000, 4)), "PNG"), "too narrow"),
        (encoded(Image.new("RGB", (50, 50)), "TIFF"), "no picture that can be read"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no picture that can be read"),
        (b"", "no picture that can be read"),
        (b"\x89PNG" + bytes(21 * 2**20), "larger than 20 MB"),
    ],
    ids=["bomb", "cut off", "narrow", "tiff", "svg", "empty", "large"],
)
def test_what_cannot_be_read_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_picture(content, "cat.png")


def test_pictures_are_known_by_their_names() -> None:
    assert is_picture("Cat.PNG")
    assert not is_picture("cat.svg")
    assert not is_picture("cat.pdf")
