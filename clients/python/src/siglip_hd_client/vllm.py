"""Visual tokens for vLLM: parts of chat messages, and its encoder cache.

    part = image_embeds_part(client.encode("photo.jpg", output="embeddings"))
    openai.chat.completions.create(model=..., messages=[{"role": "user", "content": [part, {"type": "text", ...}]}])

The server needs ``--enable-mm-embeds`` for `image_embeds_part`, ``--enable-prompt-embeds`` for `prompt_embeds_part`,
and ``--ec-transfer-config`` for `write_encoder_cache`. All three trust whoever reaches them: keep them behind a
gateway.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import TypedDict

from .rows import require_rows
from .tensor_files import npy_file, safetensors_file, torch_file
from .tokens import Tokens


class ImageEmbedsPart(TypedDict):
    """A part of a chat message that stands for an image, where the model is a multimodal one."""

    type: str
    image_embeds: str
    uuid: str


class PromptEmbedsPart(TypedDict):
    """A part of a chat message that stands for its rows, whatever the model is."""

    type: str
    data: str


def rows_uuid(tokens: Tokens) -> str:
    """64 hexadecimal digits over the rows: what vLLM's caches may know them by.

    Whatever changes the rows changes it: the image, the model, its projector, the recipe or an option. Rows that were
    computed twice may differ in their last bits, and so in this; rows from the service's cache are the same.
    """
    digest = hashlib.sha256(f"{tokens.dtype} {list(tokens.shape)}".encode())
    digest.update(tokens.data)
    return digest.hexdigest()


def image_embeds_part(tokens: Tokens, *, uuid: str | None = None) -> ImageEmbedsPart:
    """A content part with an image's rows, ``(rows, hidden)``, for a multimodal model of the LLaVA families.

    The text keeps one placeholder of the chat template for each part; vLLM repeats it to the number of rows. float16
    and float32 travel as .npy, bfloat16 as a torch.save file.

    Args:
        tokens: Rows after the projector: encode with ``output="embeddings"``.
        uuid: What vLLM's caches know the image by. Default: `rows_uuid`.

    Raises:
        ValueError: The tokens are features, or not of one image.
    """
    require_rows(tokens)
    content = torch_file(tokens) if tokens.dtype == "bfloat16" else npy_file(tokens)
    return {"type": "image_embeds", "image_embeds": _base64(content), "uuid": uuid or rows_uuid(tokens)}


def prompt_embeds_part(tokens: Tokens) -> PromptEmbedsPart:
    """A content part with an image's rows, ``(rows, hidden)``, for a plain language model.

    It is right for models whose image rows have ordinary positions and causal attention, as LLaVA's have.

    Raises:
        ValueError: The tokens are features, or not of one image.
    """
    return {"type": "prompt_embeds", "data": _base64(torch_file(require_rows(tokens)))}


def write_encoder_cache(tokens: Tokens, folder: str | os.PathLike[str], identifier: str) -> Path:
    """Puts an image's rows into the folder that vLLM's ECExampleConnector shares, so that no tower runs for it.

    Experimental: vLLM calls that connector an example, checks neither shape nor dtype, and deletes nothing. Ask the
    service for the model's own dtype, and give rows as the model's ``embed_multimodal`` does.

    Args:
        tokens: Rows after the projector: encode with ``output="embeddings"``.
        folder: The connector's ``shared_storage_path``.
        identifier: vLLM's for the image: the ``uuid`` of its part, where the request has neither
            ``mm_processor_kwargs`` nor ``media_io_kwargs``.

    Returns:
        The file, which was renamed into place whole.

    Raises:
        ValueError: The tokens are features, or not of one image; or the identifier is no name of a folder.
        OSError: The file cannot be written.
    """
    require_rows(tokens)
    # A LoRA's name and a colon may come before it.
    if not re.fullmatch(r"[A-Za-z0-9_:-][A-Za-z0-9._:-]*", identifier):
        raise ValueError(f"{identifier!r} becomes the name of a folder: use letters, digits, dots, dashes and colons.")
    image_folder = Path(folder) / identifier
    image_folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=image_folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in safetensors_file(tokens, "ec_cache"):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        # Readable by vLLM's user, who may be another.
        os.chmod(temporary, 0o644)
        written = image_folder / "encoder_cache.safetensors"
        os.replace(temporary, written)
    except BaseException:
        os.unlink(temporary)
        raise
    return written


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
