"""Visual tokens for vLLM: parts of chat messages, and its encoder cache.

    part = image_embeds_part(client.encode("photo.jpg", output="embeddings"))
    openai.chat.completions.create(model=..., messages=[{"role": "user", "content": [part, {"type": "text", ...}]}])

vLLM needs ``--enable-mm-embeds`` for `image_embeds_part`, ``--enable-prompt-embeds`` for `prompt_embeds_part`, and
``--ec-transfer-config`` for `write_encoder_cache`. It trusts the embeddings that it receives, so expose it to trusted
callers only.
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
    """A part of a chat message: an image's embeddings for a multimodal model."""

    type: str
    image_embeds: str
    uuid: str


class PromptEmbedsPart(TypedDict):
    """A part of a chat message: embeddings for any language model."""

    type: str
    data: str


def rows_uuid(tokens: Tokens) -> str:
    """A key for vLLM's caches: 64 hexadecimal digits, a digest of the rows.

    It changes with anything that changes the rows: the image, the model, its projector, the recipe or an option. Rows
    that were computed twice may differ in their last bits, and then have different keys; vLLM merely caches them twice.
    The uuid of the service's own parts (``format=vllm``) is another: it does not depend on the rows' bits.
    """
    digest = hashlib.sha256(f"{tokens.dtype} {list(tokens.shape)}".encode())
    digest.update(tokens.data)
    return digest.hexdigest()


def image_embeds_part(tokens: Tokens, *, uuid: str | None = None) -> ImageEmbedsPart:
    """A content part with an image's embeddings, for a multimodal model of the LLaVA families.

    The chat template adds one placeholder for each part, and vLLM repeats it to the number of rows. float16 and float32
    rows become a .npy file, bfloat16 rows a torch.save file.

    Args:
        tokens: The embeddings, ``(rows, hidden)``: encode with ``output="embeddings"``.
        uuid: The image's key in vLLM's caches. Default: `rows_uuid`.

    Raises:
        ValueError: The tokens are not embeddings of one image.
    """
    require_rows(tokens)
    content = torch_file(tokens) if tokens.dtype == "bfloat16" else npy_file(tokens)
    return {"type": "image_embeds", "image_embeds": _base64(content), "uuid": uuid or rows_uuid(tokens)}


def prompt_embeds_part(tokens: Tokens) -> PromptEmbedsPart:
    """A content part with an image's embeddings, for the bare language model of a multimodal one.

    Use it for models with ordinary positions and causal attention for image tokens, such as LLaVA.

    Args:
        tokens: The embeddings, ``(rows, hidden)``: encode with ``output="embeddings"``.

    Raises:
        ValueError: The tokens are not embeddings of one image.
    """
    return {"type": "prompt_embeds", "data": _base64(torch_file(require_rows(tokens)))}


def write_encoder_cache(tokens: Tokens, folder: str | os.PathLike[str], identifier: str) -> Path:
    """Writes an image's embeddings to the folder of vLLM's ECExampleConnector, so that vLLM does not run its tower.

    Experimental: vLLM calls this connector an example. It checks neither shape nor dtype and deletes no files. Encode
    with the model's own dtype; the rows must equal those of the model's ``embed_multimodal``.

    Args:
        tokens: The embeddings, ``(rows, hidden)``: encode with ``output="embeddings"``.
        folder: The connector's ``shared_storage_path``.
        identifier: vLLM's identifier of the image: the ``uuid`` of its part, if the request has neither
            ``mm_processor_kwargs`` nor ``media_io_kwargs``.

    Returns:
        The file, renamed into place when complete.

    Raises:
        ValueError: The tokens are not embeddings of one image, or the identifier cannot be a folder's name.
        OSError: The file cannot be written.
    """
    require_rows(tokens)
    # vLLM may put a LoRA's name and a colon in front.
    if not re.fullmatch(r"[A-Za-z0-9_:-][A-Za-z0-9._:-]*", identifier):
        raise ValueError(
            f"The identifier {identifier!r} becomes a folder's name: use letters, digits, dots, dashes and colons."
        )
    image_folder = Path(folder) / identifier
    image_folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=image_folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in safetensors_file(tokens, "ec_cache"):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        # vLLM may run as another user.
        os.chmod(temporary, 0o644)
        written = image_folder / "encoder_cache.safetensors"
        os.replace(temporary, written)
    except BaseException:
        os.unlink(temporary)
        raise
    return written


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
