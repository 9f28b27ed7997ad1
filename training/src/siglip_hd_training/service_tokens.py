"""A siglip-hd service as the teacher, which many trainers may share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .errors import TrainingError
from .image_file import decode
from .samples import Batch
from .settings import Settings

_CONCURRENCY = 8
_MAX_RETRIES = 10


class ServiceTokens:
    """Fused tokens of the service's TeacherEncode, in float16.

    The service's API key, if it needs one, is read from SIGLIPHD_API_KEY.

    Args:
        settings: The run's; ``teacher`` is the service's URL.
        side: Side of the student's token grid.
    """

    sides: tuple[int, ...] = ()
    needs_files = True
    ahead = 2

    def __init__(self, settings: Settings, side: int) -> None:
        url, model = str(settings.teacher), settings.teacher_model
        try:
            from siglip_hd_client import Client, SiglipHdError
        except ImportError as error:
            raise TrainingError(
                f"--teacher {url} needs the Python client: pip install './clients/python[grpc]'"
            ) from error
        self._url = url
        self._error = SiglipHdError
        try:
            self._client = Client(url, priority="bulk", max_retries=_MAX_RETRIES)
            models = self._client.models()
        except SiglipHdError as error:
            raise TrainingError(f"The teacher at {url} does not answer: {error}") from error
        found = next((one for one in models if model in (None, one.name)), None)
        if found is None:
            raise TrainingError(f"{url} serves no {model}, but {', '.join(one.name for one in models)}.")
        if found.features != settings.features:
            raise TrainingError(f"{found.name} at {url} serves {found.features}, and features is {settings.features}.")
        self._digest = found.digest
        self._options = {
            "model": found.name,
            "expect_digest": found.digest,
            "scales": settings.scales,
            "weights": settings.weights,
            "grid": (side, side),
            "dtype": "float16",
        }

    def tokens(self, batch: Batch) -> torch.Tensor:
        """Fetches a batch's tokens."""
        items = self._client.encode_many(
            batch.files, recipe="teacher", concurrency=_CONCURRENCY, ordered=True, **self._options
        )
        made = [
            item.tokens if item.error is None else self._from_pixels(item.error, name, file)
            for item, name, file in zip(items, batch.names, batch.files, strict=True)
        ]
        return torch.stack([tokens.torch(dtype=torch.float32) for tokens in made])

    def identity(self) -> dict[str, object]:
        """The served model and the options."""
        return {"digest": self._digest, **self._options}

    def _from_pixels(self, error: Exception, name: str, file: bytes) -> Any:
        """Sends pixels in place of a file that the service refused; it reads fewer formats than Pillow."""
        try:
            return self._client.teacher_encode(np.asarray(decode(file)), **self._options)
        except self._error as second:
            raise TrainingError(
                f"The teacher at {self._url} failed on {name}: {second} (as a file: {error})"
            ) from second
