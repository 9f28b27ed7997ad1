"""What callers give as an image, read into what is sent."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias, Union

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image

#: A path, the bytes of a file, an open binary file, a Pillow image, or uint8 pixels ``[height, width, 3]``.
ImageInput: TypeAlias = Union[
    "str",
    "os.PathLike[str]",
    bytes,
    bytearray,
    memoryview,
    BinaryIO,
    "Image",
    "npt.NDArray[np.uint8]",
]

_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class FileImage:
    """An encoded file: JPEG, PNG, WebP, GIF, TIFF or AVIF."""

    data: bytes

    @property
    def body(self) -> bytes:
        """What HTTP sends."""
        return self.data

    @cached_property
    def digest(self) -> str:
        """What the service's cache knows the file by."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"


@dataclass(frozen=True)
class PixelImage:
    """Pixels, uint8, ``[height, width, 3]`` or, over HTTP alone, a stack ``[n, height, width, 3]``."""

    pixels: npt.NDArray[np.uint8]

    @property
    def body(self) -> bytes:
        """What HTTP sends: a .npy file."""
        header = io.BytesIO()
        shape = self.pixels.shape
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return header.getvalue() + self.pixels.tobytes()


SentImage: TypeAlias = FileImage | PixelImage


def read_image(image: ImageInput, *, exif: Literal["apply", "ignore"] = "apply") -> SentImage:
    """Reads what a caller gave, whole.

    Files are sent as they are; the service decodes them. Of a Pillow image its pixels are sent, turned by the
    orientation in its EXIF unless ``exif`` says otherwise.

    Raises:
        OSError: The file cannot be read.
        TypeError: It is of no type that is an image.
        ValueError: It is an array, but not of pixels; or a URL, which nobody fetches.
    """
    if isinstance(image, str | os.PathLike):
        return FileImage(_read_path(image))
    if isinstance(image, bytes | bytearray | memoryview):
        return FileImage(bytes(image))
    if isinstance(image, np.ndarray):
        return PixelImage(_checked_pixels(image))
    if _is_pillow(image):
        return PixelImage(_pillow_pixels(image, exif))
    read = getattr(image, "read", None)
    if read is None:
        raise TypeError(
            f"An image is a path, bytes, a binary file, a PIL image or a uint8 array, not {type(image).__name__}."
        )
    data = read()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError('The file gives text; open it with mode "rb".')
    return FileImage(bytes(data))


def _read_path(path: str | os.PathLike[str]) -> bytes:
    if isinstance(path, str) and path.startswith(("http://", "https://", "data:")):
        raise ValueError("The image is a URL: fetch it yourself and give its bytes; the service fetches none.")
    with open(path, "rb") as file:
        return file.read()


def _checked_pixels(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    shape = array.shape
    if array.dtype != np.uint8:
        raise ValueError(f"Pixels are uint8, not {array.dtype}; scale them to 0..255 first.")
    if len(shape) not in (3, 4) or shape[-1] != 3 or 0 in shape:
        raise ValueError(f"Pixels have the shape [height, width, 3], not {list(shape)}.")
    return array


def _is_pillow(image: object) -> bool:
    # Where nobody has imported Pillow, nothing is an image of its.
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def _pillow_pixels(image: Any, exif: Literal["apply", "ignore"]) -> npt.NDArray[np.uint8]:
    if exif == "apply" and image.getexif().get(_ORIENTATION_TAG, 1) != 1:
        from PIL import ImageOps

        image = ImageOps.exif_transpose(image)
    return np.asarray(image.convert("RGB"))
