"""Decodes an image file to the pixels that the service sees."""

from __future__ import annotations

import io

from PIL import Image, ImageOps, UnidentifiedImageError


class BrokenImageError(Exception):
    """A file that is not an image, is damaged, or is too small."""


def decode(file: bytes, min_side: int = 1) -> Image.Image:
    """Decodes a file to RGB: EXIF orientation applied, alpha dropped.

    Raises:
        BrokenImageError: The file does not decode, or its shorter side has fewer than ``min_side`` pixels.
    """
    try:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(file))).convert("RGB")
    except UnidentifiedImageError as error:
        raise BrokenImageError("no image in a format that Pillow reads") from error
    # Damage shows as OSError, SyntaxError, ValueError, struct.error, zlib.error and others, by format.
    except Exception as error:
        raise BrokenImageError(str(error) or type(error).__name__) from error
    if min(image.size) < min_side:
        raise BrokenImageError(f"{image.width} x {image.height} pixels; the shorter side must have {min_side}")
    return image
