"""A vision tower whose weights are elsewhere: for LLaVA's own code and its forks, and for transformers' LLaVA models.

    tower = RemoteVisionTower(Client("http://localhost:8080"))
    model.get_model().vision_tower = tower      # LLaVA's own code
    model.model.vision_tower = tower            # transformers

It gives the tower's features; projector, pooling and newline rows stay the model's. Needs torch, and Pillow where its
image processor is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from .client import Client
from .errors import FailedPreconditionError
from .metadata import Dtype, Model

if TYPE_CHECKING:
    from PIL.Image import Image

#: What pictures are normalised by, channel by channel.
_STATISTICS = {
    "siglip": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}
#: The service's default limit of a request.
_MOST_IMAGES = 16
#: Under the service's default limit of a body, 20 MiB.
_MOST_BODY_BYTES = 16 * 2**20
_WIRE_DTYPES: dict[torch.dtype, Dtype] = {torch.float16: "float16", torch.bfloat16: "bfloat16"}


class RemoteVisionTower(torch.nn.Module):
    """Sends pictures to a siglip-hd service and gives its features, with the interface of LLaVA's vision towers.

    It takes what a tower takes: pixels that are normalised already, a tensor ``(batch, 3, size, size)``, which is
    answered as ``(batch, tokens, channels)``, or a list of ``(3, size, size)``, answered as a list of
    ``(1, tokens, channels)``; both in the input's dtype and on its device. The uint8 pixels are recovered exactly, and
    up to 16 pictures are sent in one request. Called with transformers' keywords it gives an output with
    ``hidden_states`` and ``last_hidden_state``.

    There is nothing to train or to load: it has no parameters, no gradient flows through it, and a checkpoint's tensors
    of its tower are left over ("unexpected keys").

    Args:
        client: The service. A ``grpc://`` one has a call for each picture.
        model: Name of the served model. Default: the service's first.
        image_mean: What pictures are normalised by, channel by channel. Default: the architecture's.
        image_std: Likewise.
        vision_feature_layer: The index by which transformers' model asks for its layer. Default: the one that is
            served, from the end of a tower of all layers.
        images_per_request: Pictures of one request at most; not over the service's ``--max-images``.
        image_processor: In place of `TowerImageProcessor`.

    Raises:
        SiglipHdError: The service does not say what it serves.
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
        # Follows .to(), .half() and the like, and says what dtype and device the tower is thought to have.
        self.register_buffer("_place", torch.empty(0), persistent=False)
        self._place: torch.Tensor

    def load_model(self, device_map: object = None) -> None:
        """Does nothing: the service has loaded it."""

    @property
    def dtype(self) -> torch.dtype:
        """That of `dummy_feature`; features have their input's."""
        return self._place.dtype

    @property
    def device(self) -> torch.device:
        """That of `dummy_feature`; features are where their input is."""
        return self._place.device

    @property
    def dummy_feature(self) -> torch.Tensor:
        """Zeros, ``(1, channels)``, for batches without a picture."""
        return torch.zeros(1, self.hidden_size, device=self.device, dtype=self.dtype)

    @property
    def hidden_size(self) -> int:
        """Channels of a token."""
        return self._model.channels

    @property
    def image_size(self) -> int:
        """Side of the square that it sees, in pixels."""
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
        """Tokens of a picture."""
        return self._model.grid.width * self._model.grid.height

    def forward(self, images: Any = None, *, pixel_values: Any = None, **transformers_keywords: Any) -> Any:
        """The features of pictures; see the class."""
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
            raise ValueError(f"The tower takes pixels [batch, 3, {side}, {side}], not {list(images.shape)}.")
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
        """The uint8 pixels, ``[batch, size, size, 3]``, that were normalised into these."""
        mean = torch.tensor(self._mean, device=images.device).view(3, 1, 1)
        std = torch.tensor(self._std, device=images.device).view(3, 1, 1)
        levels = ((images.detach().float() * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
        array: npt.NDArray[np.uint8] = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return array

    def _output(self, features: torch.Tensor) -> TowerOutput:
        if self._model.architecture == "clip":
            # transformers' models drop the class token, which the service does not give; one that keeps it notices.
            class_token = torch.full_like(features[:, :1], float("nan"))
            features = torch.cat([class_token, features], dim=1)
        return TowerOutput(features, _HiddenStates(features, self._model, self._layer))


@dataclass
class TowerOutput:
    """What transformers' models read of a tower's output. Of CLIP the class token, which comes first, is NaN.

    Attributes:
        last_hidden_state: ``(batch, tokens, channels)``: the served layer.
        hidden_states: Of all layers the served one.
    """

    last_hidden_state: torch.Tensor
    hidden_states: _HiddenStates
    pooler_output: Any = None
    attentions: Any = None


class _HiddenStates:
    """The hidden states of a tower of which one is known; asking for another fails."""

    def __init__(self, features: torch.Tensor, model: Model, layer: int | None) -> None:
        self._features = features
        self._served = model.features
        end = model.layers + 1
        # Of the end of the tower and of the layer before it; both counted from either side.
        known = {"pre_norm": (-1, end - 1), "last_hidden_state": (-1, end - 1), "penultimate": (-2, end - 2)}
        self._layers = known.get(model.features, ()) if layer is None else (layer,)

    def __getitem__(self, layer: int) -> torch.Tensor:
        if layer not in self._layers:
            raise FailedPreconditionError(
                f"The model asks for the tower's hidden state {layer}, and the service serves {self._served} "
                f"({' or '.join(map(str, self._layers)) or 'no index of which is known'}). If they are the same, "
                f"say so: RemoteVisionTower(..., vision_feature_layer={layer})."
            )
        return self._features


@dataclass
class TowerImageProcessor:
    """Makes pictures into what the tower takes, as the checkpoint's own processor does.

    Attributes:
        size: As the local towers' processors say it: of CLIP ``{"shortest_edge": side}``, of SigLIP ``(side, side)``.
        crop_size: Height and width of the square.
        image_mean: Of each channel.
        image_std: Of each channel.
        resample: ``bilinear`` or ``bicubic``.
        crops: Whether the picture is cropped to its middle; otherwise it is squashed.
    """

    size: tuple[int, int] | dict[str, int]
    crop_size: dict[str, int]
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    resample: str
    crops: bool

    @classmethod
    def of(cls, model: Model, mean: tuple[float, ...], std: tuple[float, ...]) -> TowerImageProcessor:
        """The processor of a served model."""
        side = model.image_size
        size = {"shortest_edge": side} if model.architecture == "clip" else (side, side)
        return cls(size, {"height": side, "width": side}, mean, std, model.resample, model.resize == "crop")

    def preprocess(
        self, images: Image | npt.NDArray[np.uint8] | Sequence[Any], return_tensors: str | None = "pt"
    ) -> dict[str, Any]:
        """``{"pixel_values": (batch, 3, size, size)}``, float32: of torch, or without ``return_tensors`` of NumPy."""
        pictures = list(images) if isinstance(images, list | tuple) else [images]
        pixels = np.stack([self._pixels(picture) for picture in pictures])
        mean, std = (np.asarray(values, np.float32) for values in (self.image_mean, self.image_std))
        values = ((pixels.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2)
        values = np.ascontiguousarray(values)
        return {"pixel_values": torch.from_numpy(values) if return_tensors == "pt" else values}

    __call__ = preprocess

    def _pixels(self, picture: Any) -> npt.NDArray[np.uint8]:
        from PIL import Image

        image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
        image = image.convert("RGB")
        filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
        side, resample = self.crop_size["height"], filters[self.resample]
        if not self.crops:
            return np.asarray(image.resize((side, side), resample))
        # As transformers: the shorter side becomes the square's, the longer is cut down.
        width, height = (int(side * edge / min(image.size)) for edge in image.size)
        left, top = (width - side) // 2, (height - side) // 2
        return np.asarray(image.resize((width, height), resample).crop((left, top, left + side, top + side)))


def _served(models: Sequence[Model], name: str | None) -> Model:
    for model in models:
        if name is None or model.name == name:
            return model
    raise ValueError(f"The service does not serve {name}; it serves {', '.join(model.name for model in models)}.")
