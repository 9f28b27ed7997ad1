"""A vision tower of transformers, and the hidden state that serves as tokens."""

from __future__ import annotations

import copy

import torch
from torch import nn
from transformers import (
    AutoConfig,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedConfig,
    PreTrainedModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from .errors import TrainingError

FEATURES = ("last_hidden_state", "pre_norm", "penultimate")

_CLASSES: dict[str, type[PreTrainedModel]] = {
    "siglip": SiglipVisionModel,
    "siglip_vision_model": SiglipVisionModel,
    "clip": CLIPVisionModel,
    "clip_vision_model": CLIPVisionModel,
}


class Tower(nn.Module):
    """Turns normalised views into tokens.

    Args:
        model: A SiglipVisionModel or CLIPVisionModel.
        features: ``last_hidden_state``, after the final norm (CLIP has none); ``pre_norm``, before it; ``penultimate``,
            the output of the last but one layer.
    """

    def __init__(self, model: PreTrainedModel, features: str = "last_hidden_state") -> None:
        super().__init__()
        if features not in FEATURES:
            raise TrainingError(f"features is {features!r}; use one of {', '.join(FEATURES)}.")
        self.model = model
        self.features = features
        self.is_clip = isinstance(model.config, CLIPVisionConfig)
        self.image_size: int = model.config.image_size
        self.side = self.image_size // model.config.patch_size
        self.channels: int = model.config.hidden_size

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Gives the tokens of views [N, 3, image_size, image_size]: float32, [N, side * side, channels]."""
        if self.features == "last_hidden_state":
            tokens = self.model(pixel_values=pixels).last_hidden_state
        else:
            states = self.model(pixel_values=pixels, output_hidden_states=True).hidden_states
            tokens = states[-1 if self.features == "pre_norm" else -2]
        return (tokens[:, 1:] if self.is_clip else tokens).float()

    def freeze_unused(self) -> None:
        """Freezes the parameters that the tokens do not depend on.

        They get no gradient, for which DDP would wait forever and which the weight decay would shrink.
        """
        unused = ["head."]
        if self.is_clip or self.features != "last_hidden_state":
            unused.append("post_layernorm.")
        if self.features == "penultimate":
            unused.append(f"encoder.layers.{self.model.config.num_hidden_layers - 1}.")
        for name, parameter in self.model.named_parameters():
            if name.startswith(tuple(unused)):
                parameter.requires_grad_(False)


def load_model(checkpoint: str) -> PreTrainedModel:
    """Loads the vision tower of a folder or hub repository, in float32.

    Takes checkpoints of SigLIP, SigLIP 2 (fixed resolution) and CLIP, with or without the text tower.
    """
    try:
        config = AutoConfig.from_pretrained(checkpoint)
    except OSError as error:
        raise TrainingError(f"{checkpoint} is no checkpoint: {error}") from error
    kind = _CLASSES.get(config.model_type)
    if kind is None:
        known = ", ".join(_CLASSES)
        raise TrainingError(f"{checkpoint} has model_type {config.model_type!r}. Use a checkpoint of one of {known}.")
    vision = getattr(config, "vision_config", config)
    model, report = kind.from_pretrained(checkpoint, config=vision, dtype=torch.float32, output_loading_info=True)
    missing = set(report["missing_keys"])
    if missing and all(name.startswith("head.") for name in missing):
        # Without this, transformers fills the missing pooling head with random numbers, and the export would have them.
        vision.vision_use_head = False
        model = kind.from_pretrained(checkpoint, config=vision, dtype=torch.float32)
    elif missing:
        raise TrainingError(f"{checkpoint} lacks weights of its vision tower: {', '.join(sorted(missing)[:3])}...")
    return model.eval()


def build_model(config: dict[str, object]) -> PreTrainedModel:
    """Makes a model of a configuration that `config.to_dict()` gave; its weights are random."""
    is_clip = config["model_type"] == "clip_vision_model"
    kind: type[PreTrainedConfig] = CLIPVisionConfig if is_clip else SiglipVisionConfig
    return _CLASSES[str(config["model_type"])](kind(**config))


def resized(model: PreTrainedModel, image_size: int) -> PreTrainedModel:
    """A copy of the model for another image size; transformers' bicubic interpolation fits its position table."""
    config = copy.deepcopy(model.config)
    config.image_size = image_size
    state = dict(model.state_dict())
    # The method takes the number of patches and the width from the shape of its first argument.
    patches = torch.empty(1, (image_size // config.patch_size) ** 2 + (config.model_type == "clip_vision_model"), 1)
    name = "embeddings.position_embedding.weight"
    patches = patches.expand(-1, -1, state[name].shape[1])
    with torch.no_grad():
        table = model.embeddings.interpolate_pos_encoding(patches, image_size, image_size)
    state[name] = table[0].clone()
    other = type(model)(config)
    other.load_state_dict(state)
    return other.eval()
