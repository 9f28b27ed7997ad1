"""A remote vision tower for LLaVA's own code and its forks, and for transformers' LLaVA models.

    tower = RemoteVisionTower(Client("http://localhost:8080"))
    model.get_model().vision_tower = tower      # LLaVA's own code
    model.model.vision_tower = tower            # transformers

It returns the tower's features; the model keeps its projector, pooling and newline rows. Needs torch; its image
processor needs Pillow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .client import Client
from .errors import FailedPreconditionError
from .extras import needs
from .metadata import Dtype
from .models import Model

with needs("torch", "siglip_hd_client.llava", "siglip-hd-client[torch]"):
    import torch

if TYPE_CHECKING:
    from PIL.Image import Image

#: Mean and standard deviation of each channel, by architecture.
_STATISTICS = {
    "siglip": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}
#: The service's default limit for a request.
_MOST_IMAGES = 16
#: Below the service's default limit for a body, 20 MiB.
_MOST_BODY_BYTES = 16 * 2**20
_WIRE_DTYPES: dict[torch.dtype, Dtype] = {torch.float16: "float16", torch.bfloat16: "bfloat16"}


class RemoteVisionTower(torch.nn.Module):
    """Encodes images with a siglip-hd service, behind the interface of LLaVA's vision towers.

    Like a local tower, it takes normalised pixels. A tensor ``(batch, 3, size, size)`` gives features ``(batch, tokens,
    channels)``; a list of ``(3, size, size)`` gives a list of ``(1, tokens, channels)``. Features have the dtype and
    device of their input. The tower restores the exact uint8 pixels and sends up to 16 images in one request. Called
    with transformers' keywords, it returns an output with ``hidden_states`` and ``last_hidden_state``.

    It has no parameters, and no gradient flows through it. When a checkpoint that contains a tower is loaded into the
    model, the tower's tensors are "unexpected keys".

    Args:
        client: The service's client. Over ``grpc://``, each image is a call.
        model: Name of the served model. Default: the service's first.
        image_mean: Mean of each channel that the pixels were normalised with. Default: the architecture's.
        image_std: Standard deviation of each channel. Default: the architecture's.
        vision_feature_layer: The index that transformers' model uses for its feature layer. Default: the index of the
            served layer, counted from the end of the full tower.
        images_per_request: The most images in one request; at most the service's ``--max-images``.
        image_processor: Replaces `TowerImageProcessor`.

    Raises:
        SiglipHdError: The service cannot be asked for its models.
        ValueError: It does not serve the model.
    """

    def __init__(
        self,
        client: Client,
        model: str | None = None,
        *,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
        vision_feature_layer: int | None = None,
        images_per_request: int = _MOST_IMAGES,
        image_processor: Any = None,
    ) -> None:
        super().__init__()
        self._client = client
        self._model = _served(client.models(), model)
        mean, std = _STATISTICS.get(self._model.architecture, _STATISTICS["siglip"])
        self._mean, self._std = tuple(image_mean or mean), tuple(image_std or std)
        self._layer = vision_feature_layer
        self._images_per_request = images_per_request
        self.vision_tower_name = self._model.name
        self.select_feature = "patch"
        self.is_loaded = True
        self.image_processor = image_processor or TowerImageProcessor.of(self._model, self._mean, self._std)
        self.config = SimpleNamespace(
            model_type=f"{self._model.architecture}_vision_model",
            hidden_size=self.hidden_size,
            image_size=self.image_size,
            patch_size=self.patch_size,
            num_hidden_layers=self._model.layers,
            num_channels=3,
        )
        # Follows .to(), .half() and so on; gives the tower its dtype and device.
        self.register_buffer("_place", torch.empty(0), persistent=False)
        self._place: torch.Tensor

    def load_model(self, device_map: object = None) -> None:
        """Does nothing: the service has loaded the model."""

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of `dummy_feature`; features have the dtype of their input."""
        return self._place.dtype

    @property
    def device(self) -> torch.device:
        """The device of `dummy_feature`; features are on the device of their input."""
        return self._place.device

    @property
    def dummy_feature(self) -> torch.Tensor:
        """Zeros, ``(1, channels)``, for batches without an image."""
        return torch.zeros(1, self.hidden_size, device=self.device, dtype=self.dtype)

    @property
    def hidden_size(self) -> int:
        """Channels of a token."""
        return self._model.channels

    @property
    def image_size(self) -> int:
        """Side of its square input, in pixels."""
        return self._model.image_size

    @property
    def patch_size(self) -> int:
        """Side of a patch, in pixels."""
        return self._model.patch_size

    @property
    def num_patches_per_side(self) -> int:
        """Tokens across, and down."""
        return self._model.grid.width

    @property
    def num_patches(self) -> int:
        """Tokens of an image."""
        return self._model.grid.width * self._model.grid.height

    def forward(self, images: Any = None, *, pixel_values: Any = None, **transformers_keywords: Any) -> Any:
        """Encodes images; see the class."""
        asks_for_output = pixel_values is not None or bool(transformers_keywords)
        images = images if pixel_values is None else pixel_values
        if type(images) is list:
            if not images:
                return []
            features = self._encode(torch.stack(images))
            return [feature.unsqueeze(0).to(image) for feature, image in zip(features, images, strict=True)]
        features = self._encode(images).to(images)
        return self._output(features) if asks_for_output else features

    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        side = self.image_size
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, side, side):
            raise ValueError(
                f"The tower takes pixels of the shape [batch, 3, {side}, {side}], not {list(images.shape)}."
            )
        pixels = self._pixels(images)
        step = 1 if self._client.url.startswith("grpc") else self._images_of_a_request(pixels)
        stacks = [pixels[start : start + step] for start in range(0, len(pixels), step)]
        items = self._client.encode_many(
            (stack[0] if len(stack) == 1 else stack for stack in stacks),
            concurrency=min(8, max(1, len(stacks))),
            model=self._model.name,
            expect_digest=self._model.digest,
            dtype=_WIRE_DTYPES.get(images.dtype, "float32"),
        )
        features = [item.tokens.torch().reshape(-1, self.num_patches, self.hidden_size) for item in items]
        return torch.cat(features) if features else torch.empty(0, self.num_patches, self.hidden_size)

    def _images_of_a_request(self, pixels: npt.NDArray[np.uint8]) -> int:
        fitting = _MOST_BODY_BYTES // (pixels[0].nbytes if len(pixels) else 1)
        return max(1, min(self._images_per_request, fitting))

    def _pixels(self, images: torch.Tensor) -> npt.NDArray[np.uint8]:
        """Undoes the normalisation: uint8 pixels ``[batch, size, size, 3]``."""
        mean = torch.tensor(self._mean, device=images.device).view(3, 1, 1)
        std = torch.tensor(self._std, device=images.device).view(3, 1, 1)
        levels = ((images.detach().float() * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
        array: npt.NDArray[np.uint8] = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return array

    def _output(self, features: torch.Tensor) -> TowerOutput:
        if self._model.architecture == "clip":
            # The service gives no class token. Models drop it; NaN makes a model that uses it fail visibly.
            class_token = torch.full_like(features[:, :1], float("nan"))
            features = torch.cat([class_token, features], dim=1)
        return TowerOutput(features, _HiddenStates(features, self._model, self._layer))


@dataclass
class TowerOutput:
    """The part of a tower's output that transformers' models read. CLIP's class token, which comes first, is NaN.

    Attributes:
        last_hidden_state: The served layer, ``(batch, tokens, channels)``.
        hidden_states: Has the served layer only.
    """

    last_hidden_state: torch.Tensor
    hidden_states: _HiddenStates
    pooler_output: Any = None
    attentions: Any = None


class _HiddenStates:
    """A tower's hidden states, of which only the served one is available."""

    def __init__(self, features: torch.Tensor, model: Model, layer: int | None) -> None:
        self._features = features
        self._served = model.features
        end = model.layers + 1
        # The indexes of the last layer and the one before, from either end.
        known = {"pre_norm": (-1, end - 1), "last_hidden_state": (-1, end - 1), "penultimate": (-2, end - 2)}
        self._layers = known.get(model.features, ()) if layer is None else (layer,)

    def __getitem__(self, layer: int) -> torch.Tensor:
        if layer not in self._layers:
            raise FailedPreconditionError(
                f"The model needs the tower's hidden state {layer}, but the service serves {self._served} "
                f"({' or '.join(map(str, self._layers)) or 'whose index is unknown'}). If these are the same, "
                f"pass RemoteVisionTower(..., vision_feature_layer={layer})."
            )
        return self._features


@dataclass
class TowerImageProcessor:
    """Makes the tower's input from images, as the checkpoint's own processor does.

    Attributes:
        size: In the form of the local towers' processors: ``{"shortest_edge": side}`` for CLIP, ``(side, side)`` for
            SigLIP.
        crop_size: Height and width of the square.
        image_mean: Mean of each channel.
        image_std: Standard deviation of each channel.
        resample: Pillow's filter: ``bilinear``, ``bicubic`` or ``lanczos``.
        resize: ``squash`` to the square, or ``crop`` the centre.
    """

    size: tuple[int, int] | dict[str, int]
    crop_size: dict[str, int]
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    resample: str
    resize: str

    @classmethod
    def of(cls, model: Model, mean: tuple[float, ...], std: tuple[float, ...]) -> TowerImageProcessor:
        """The processor of a served model."""
        side = model.image_size
        size = {"shortest_edge": side} if model.architecture == "clip" else (side, side)
        return cls(size, {"height": side, "width": side}, mean, std, model.resample, model.resize)

    def preprocess(
        self, images: Image | npt.NDArray[np.uint8] | Sequence[Any], return_tensors: str | None = "pt"
    ) -> dict[str, Any]:
        """``{"pixel_values": (batch, 3, size, size)}``, a float32 tensor; an array with ``return_tensors=None``.

        Raises:
            ValueError: The model resizes images in a way that this processor does not know.
        """
        pictures = list(images) if isinstance(images, list | tuple) else [images]
        pixels = np.stack([self._pixels(picture) for picture in pictures])
        mean, std = (np.asarray(values, np.float32) for values in (self.image_mean, self.image_std))
        values = ((pixels.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2)
        values = np.ascontiguousarray(values)
        return {"pixel_values": torch.from_numpy(values) if return_tensors == "pt" else values}

    __call__ = preprocess

    def _pixels(self, picture: Any) -> npt.NDArray[np.uint8]:
        with needs("PIL", "TowerImageProcessor", "siglip-hd-client[pil]"):
            from PIL import Image

        image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
        image = image.convert("RGB")
        side, resample = self.crop_size["height"], Image.Resampling[self.resample.upper()]
        if self.resize == "squash":
            return np.asarray(image.resize((side, side), resample))
        if self.resize != "crop":
            raise ValueError(
                f"The model resizes by {self.resize}: pass RemoteVisionTower the checkpoint's own processor."
            )
        # As in transformers: resize the shorter side to the square's, then crop the longer one.
        width, height = (int(side * edge / min(image.size)) for edge in image.size)
        left, top = (width - side) // 2, (height - side) // 2
        return np.asarray(image.resize((width, height), resample).crop((left, top, left + side, top + side)))


def _served(models: Sequence[Model], name: str | None) -> Model:
    for model in models:
        if name is None or model.name == name:
            return model
    raise ValueError(f"The service has no model {name}; it serves {', '.join(model.name for model in models)}.")
