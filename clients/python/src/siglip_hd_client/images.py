"""Reads the images that callers pass."""

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
        """The body of an HTTP request."""
        return self.data

    @cached_property
    def digest(self) -> str:
        """The key of the file in the service's cache."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"


@dataclass(frozen=True)
class PixelImage:
    """uint8 pixels: ``[height, width, 3]``, or, over HTTP only, a stack ``[n, height, width, 3]``."""

    pixels: npt.NDArray[np.uint8]

    @property
    def body(self) -> bytes:
        """The body of an HTTP request: a .npy file."""
        header = io.BytesIO()
        shape = self.pixels.shape
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return header.getvalue() + self.pixels.tobytes()


SentImage: TypeAlias = FileImage | PixelImage


def read_image(image: ImageInput, *, exif: Literal["apply", "ignore"] = "apply") -> SentImage:
    """Reads an image.

    A file stays encoded; the service decodes it. A Pillow image becomes its pixels, with its EXIF orientation applied
    unless ``exif`` is ``ignore``.

    Raises:
        OSError: The file cannot be read.
        TypeError: The type is not supported.
        ValueError: The array is not an image, or the path is a URL.
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
            f"An image must be a path, bytes, a binary file, a PIL image or a uint8 array, not {type(image).__name__}."
        )
    data = read()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError('The file is open in text mode; open it with mode "rb".')
    return FileImage(bytes(data))


def require_several(images: object) -> None:
    """Raises TypeError if what should be several images is one, whose characters or bytes would be taken for images."""
    is_one = isinstance(images, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(images, "read")
    if is_one or _is_pillow(images) or (isinstance(images, np.ndarray) and images.ndim == 3):
        raise TypeError(
            f"encode_many takes several images, not one {type(images).__name__}: pass a list, or use encode."
        )


def _read_path(path: str | os.PathLike[str]) -> bytes:
    if isinstance(path, str) and path.startswith(("http://", "https://", "data:")):
        raise ValueError("The image is a URL: fetch it yourself and pass its bytes. The service fetches no URLs.")
    with open(path, "rb") as file:
        return file.read()


def _checked_pixels(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    shape = array.shape
    if array.dtype != np.uint8:
        raise ValueError(f"Pixels must be uint8, not {array.dtype}; scale them to 0..255 first.")
    if len(shape) not in (3, 4) or shape[-1] != 3 or 0 in shape:
        raise ValueError(f"Pixels must have the shape [height, width, 3], not {list(shape)}.")
    return array


def _is_pillow(image: object) -> bool:
    # If nobody has imported Pillow, this is not a Pillow image.
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def _pillow_pixels(image: Any, exif: Literal["apply", "ignore"]) -> npt.NDArray[np.uint8]:
    if exif == "apply" and image.getexif().get(_ORIENTATION_TAG, 1) != 1:
        from PIL import ImageOps

        image = ImageOps.exif_transpose(image)
    return np.asarray(image.convert("RGB"))
