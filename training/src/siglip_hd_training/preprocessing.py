"""How an image becomes the model's input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers.utils import cached_file

from .errors import TrainingError

CONFIG_FILE = "preprocessor_config.json"


@dataclass(frozen=True)
class Preprocessing:
    """The constants of a checkpoint's image processor.

    The image is always squashed to a square: the paper makes every scale so, and a CLIP student, whose own processor
    crops, is trained and exported with squashing.

    Attributes:
        mean: Subtracted from each channel.
        std: Divides each channel.
        rescale: Multiplies the 8-bit values.
        resample: Pillow's number of the filter: 2 for bilinear, 3 for bicubic.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    rescale: float
    resample: int

    @classmethod
    def read(cls, checkpoint: str) -> Preprocessing:
        """Reads the image processor's file of a folder, or of a repository on the hub."""
        path = cached_file(checkpoint, CONFIG_FILE, _raise_exceptions_for_missing_entries=False)
        if path is None:
            raise TrainingError(f"{checkpoint} has no {CONFIG_FILE}. Copy the one of the checkpoint it was made from.")
        config = json.loads(Path(path).read_text())
        try:
            mean, std = config["image_mean"], config["image_std"]
        except KeyError as error:
            raise TrainingError(f"{path} has no {error.args[0]}. Add it.") from error
        return cls(
            mean=tuple(mean),
            std=tuple(std),
            rescale=config.get("rescale_factor", 1 / 255),
            resample=config.get("resample", Image.Resampling.BICUBIC.value),
        )

    def view(self, image: Image.Image, side: int) -> torch.Tensor:
        """Squashes an RGB image to a square: uint8, [3, side, side]."""
        pixels = np.array(image.resize((side, side), Image.Resampling(self.resample)))
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()

    def normalise(self, views: torch.Tensor) -> torch.Tensor:
        """Turns uint8 views [N, 3, side, side] into the tower's float32 input."""
        mean, std = (torch.tensor(values, device=views.device).view(3, 1, 1) for values in (self.mean, self.std))
        return (views.float() * self.rescale - mean) / std

    def as_config(self, side: int, architecture: str) -> dict[str, object]:
        """The image processor's file for a tower of this image size."""
        return {
            "image_processor_type": f"{architecture}ImageProcessor",
            "do_convert_rgb": True,
            "do_resize": True,
            "size": {"height": side, "width": side},
            "do_center_crop": False,
            "resample": self.resample,
            "do_rescale": True,
            "rescale_factor": self.rescale,
            "do_normalize": True,
            "image_mean": list(self.mean),
            "image_std": list(self.std),
        }

    def as_dict(self) -> dict[str, object]:
        """Plain values, from which `Preprocessing(**values)` makes an equal object."""
        return asdict(self)
