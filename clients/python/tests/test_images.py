from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from conftest import FIXTURES
from siglip_hd_client.images import FileImage, PixelImage, read_image


def test_a_path_bytes_and_an_open_file_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"\xff\xd8 data")
    with path.open("rb") as file:
        for image in (
            path,
            str(path),
            path.read_bytes(),
            bytearray(b"\xff\xd8 data"),
            memoryview(b"\xff\xd8 data"),
            file,
        ):
            assert read_image(image) == FileImage(b"\xff\xd8 data")


def test_pixels_are_sent_as_a_npy_file_that_numpy_reads() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    for array in (pixels, pixels[:, ::-1], np.asfortranarray(pixels)):
        sent = read_image(array)
        assert (np.load(io.BytesIO(sent.body)) == array).all()


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((4, 4, 3)), "uint8, not float64"),
        (np.zeros((4, 4), np.uint8), r"not \[4, 4\]"),
        (np.zeros((3, 4, 4), np.uint8), r"not \[3, 4, 4\]"),
        (np.zeros((0, 4, 3), np.uint8), r"not \[0, 4, 3\]"),
    ],
)
def test_an_array_that_holds_no_pixels_is_refused(array: np.ndarray, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_image(array)


def test_a_url_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="pass its bytes"):
        read_image("https://example.com/photo.jpg")


def test_what_is_no_image_is_refused_by_its_type() -> None:
    with pytest.raises(TypeError, match="not dict"):
        read_image(cast(Any, {}))
    with pytest.raises(TypeError, match='mode "rb"'):
        read_image(cast(Any, io.StringIO("text")))


def test_a_missing_file_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        read_image("/no/such/file.jpg")


def test_a_pillow_image_is_sent_as_its_rgb_pixels() -> None:
    pillow = pytest.importorskip("PIL.Image")
    sent = read_image(pillow.new("L", (4, 2), 7))
    assert isinstance(sent, PixelImage)
    assert sent.pixels.shape == (2, 4, 3)
    assert (sent.pixels == 7).all()


def test_a_pillow_image_is_turned_by_its_exif_orientation_unless_that_is_ignored() -> None:
    pillow = pytest.importorskip("PIL.Image")
    with pillow.open(FIXTURES / "images" / "rocket-exif6.jpg") as image:
        turned, untouched = read_image(image), read_image(image, exif="ignore")
    assert isinstance(turned, PixelImage)
    assert isinstance(untouched, PixelImage)
    assert turned.pixels.shape[:2] == untouched.pixels.shape[1::-1]
