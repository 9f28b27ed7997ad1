"""A vision encoder for NVIDIA Dynamo's aggregated vLLM worker, by its tensor (linear) route.

    # my_encoders.py, and DYN_ENCODER_CLASS=my_encoders.Encoder
    from siglip_hd_client.dynamo import SiglipHdEncoder

    class Encoder(SiglipHdEncoder):
        image_token_id = 151655
        options = {"model": "llava-next"}

Needs Dynamo, whose worker imports it. The worker needs ``--enable-multimodal`` and ``--enable-prompt-embeds``.
"""

from __future__ import annotations

import base64
import binascii
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from dynamo.vllm.multimodal_utils.vision_encoder_backend import Preprocessed, VisionEncoderBackend

from .client import Client
from .errors import InvalidArgumentError, TooLargeError, UnsupportedMediaError
from .metadata import Recipe
from .rows import require_rows

if TYPE_CHECKING:
    import torch


class SiglipHdEncoder(VisionEncoderBackend):
    """Has a siglip-hd service encode the images of Dynamo's requests. Subclass it, and say at least which image token.

    Each image is one call of the service, made in Dynamo's pool of preprocessing threads: the service batches them,
    and an image that fails fails its own request alone.

    Attributes:
        image_token_id: Of the placeholder in the language model's chat template.
        url: The service's. Default: the environment's SIGLIP_HD_URL, or ``http://localhost:8080``.
        recipe: ``encode``, ``teacher`` or ``anyres``.
        options: Of the encode: ``model``, ``expect_projector_digest`` and the like.
        preprocess_concurrency: Images under way at a time.
    """

    image_token_id: int
    url: ClassVar[str | None] = None
    recipe: ClassVar[Recipe] = "encode"
    options: ClassVar[Mapping[str, Any]] = {}
    preprocess_concurrency = 16

    def build(self, model_id: str) -> None:  # noqa: ARG002 - the service has the model
        """Opens the client, and asks the service whether it gives such embeddings."""
        options = {"dtype": "bfloat16", **self.options, "output": "embeddings"}
        self._client = Client(self.url)
        self._options = options
        self._client.plan(64, 64, recipe=self.recipe, **options)

    def preprocess(self, raw: str) -> Preprocessed:
        """Has one image encoded.

        Raises:
            ValueError: The image is at fault; Dynamo answers its caller with 400 and the sentence.
            SiglipHdError: The service is.
        """
        image = self.load(raw)
        encode = {
            "encode": self._client.encode,
            "teacher": self._client.teacher_encode,
            "anyres": self._client.anyres_encode,
        }[self.recipe]
        try:
            tokens = encode(image, **self._options)
        except (InvalidArgumentError, TooLargeError, UnsupportedMediaError) as error:
            raise ValueError(error.detail) from None
        return Preprocessed(item=require_rows(tokens).torch(), cost=tokens.shape[0])

    def load(self, raw: str) -> bytes:
        """The bytes of an image that a request names. A ``data:`` URL has them; override this to fetch others."""
        head, comma, body = raw.partition(",")
        if not head.startswith("data:") or not comma:
            raise ValueError("The image must be a data: URL.")
        try:
            if head.endswith(";base64"):
                return base64.b64decode(urllib.parse.unquote(body), validate=True)
        except binascii.Error:
            raise ValueError("The image's data: URL is not base64.") from None
        return urllib.parse.unquote_to_bytes(body)

    def forward_batch(self, items: list[torch.Tensor], target_bucket: int | None = None) -> list[torch.Tensor]:  # noqa: ARG002
        """The rows, which are there already: ``(rows, hidden)`` of each image."""
        return items

    def close(self) -> None:
        """Closes the client."""
        client = getattr(self, "_client", None)
        if client is not None:
            client.close()
