"""A vision encoder for NVIDIA Dynamo's aggregated vLLM worker, on its tensor (linear) route.

    # my_encoders.py, and DYN_ENCODER_CLASS=my_encoders.Encoder
    from siglip_hd_client.dynamo import SiglipHdEncoder

    class Encoder(SiglipHdEncoder):
        image_token_id = 151655
        options = {"model": "llava-next"}

Dynamo's worker imports the class; run it with ``--enable-multimodal`` and ``--enable-prompt-embeds``.
"""

from __future__ import annotations

import base64
import binascii
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .client import Client
from .errors import InvalidArgumentError, TooLargeError, UnsupportedMediaError
from .extras import needs
from .metadata import Recipe
from .rows import require_rows

with needs("dynamo", "siglip_hd_client.dynamo", "ai-dynamo[vllm]"):
    from dynamo.vllm.multimodal_utils.vision_encoder_backend import Preprocessed, VisionEncoderBackend

if TYPE_CHECKING:
    import torch


class SiglipHdEncoder(VisionEncoderBackend):
    """Encodes the images of Dynamo's requests with a siglip-hd service. Subclass it and set ``image_token_id``.

    Dynamo's preprocessing threads make one call for each image. The service batches them. An image that fails affects
    its own request only.

    Attributes:
        image_token_id: The id of the placeholder in the language model's chat template.
        url: The service's URL. Default: the environment's SIGLIPHD_URL, or ``http://localhost:8080``.
        recipe: ``encode``, ``teacher`` or ``anyres``.
        options: Options of the encode, such as ``model`` and ``expect_projector_digest``.
        preprocess_concurrency: The number of images in flight.
    """

    image_token_id: int
    url: ClassVar[str | None] = None
    recipe: ClassVar[Recipe] = "encode"
    options: ClassVar[Mapping[str, Any]] = {}
    preprocess_concurrency = 16

    def build(self, model_id: str) -> None:  # noqa: ARG002 - the service has the model
        """Opens the client and checks that the service can make these embeddings."""
        options = {"dtype": "bfloat16", **self.options, "output": "embeddings"}
        self._client = Client(self.url)
        self._options = options
        self._client.plan(64, 64, recipe=self.recipe, **options)

    def preprocess(self, raw: str) -> Preprocessed:
        """Encodes one image.

        Raises:
            ValueError: The image is invalid; Dynamo answers its caller with 400 and the sentence.
            SiglipHdError: The call failed for another reason.
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
        """The bytes of an image URL. Supports ``data:`` URLs; override it to fetch others."""
        head, comma, body = raw.partition(",")
        if not head.startswith("data:") or not comma:
            raise ValueError("The image URL is not a data: URL.")
        try:
            if head.endswith(";base64"):
                return base64.b64decode(urllib.parse.unquote(body), validate=True)
        except binascii.Error:
            raise ValueError("The image's data: URL is not valid base64.") from None
        return urllib.parse.unquote_to_bytes(body)

    def forward_batch(self, items: list[torch.Tensor], target_bucket: int | None = None) -> list[torch.Tensor]:  # noqa: ARG002
        """Returns the rows as they are: ``(rows, hidden)`` of each image."""
        return items

    def close(self) -> None:
        """Closes the client."""
        client = getattr(self, "_client", None)
        if client is not None:
            client.close()
