"""The settings of a training run, and how the command line and a TOML file give them."""

from __future__ import annotations

import argparse
import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import TrainingError
from .losses import LOSSES
from .tower import FEATURES


def _setting(
    text: str, default: object = dataclasses.MISSING, *, may_change: bool = False, choices: object = None
) -> Any:
    """A field with its help. A resumed run must repeat the settings that are not ``may_change``."""
    metadata = {"help": text, "may_change": may_change, "choices": choices}
    return field(default=default, metadata=metadata) if default is not dataclasses.MISSING else field(metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """All settings of a run. The defaults are the paper's for SigLIP 2 So400m/16-512."""

    model: str = _setting("base checkpoint: a folder or a hub repository")
    images: tuple[str, ...] = _setting("folders, .tar shards, or text files that list paths")
    out: str = _setting("the run's folder; if it has checkpoints, the run resumes", may_change=True)

    image_size: int | None = _setting(
        "side of the student's view, such as 518 for CLIP-HD; by default the base's", None
    )
    features: str = _setting("hidden state that is matched and exported", "last_hidden_state", choices=FEATURES)
    teacher: str | None = _setting("checkpoint, or grpc:// or http:// URL of a service; by default the base", None)
    teacher_model: str | None = _setting("name of the model at the teacher's URL; by default its first", None)
    scales: tuple[int, ...] | None = _setting(
        "the teacher's scales; by default the base's image size and twice it", None
    )
    weights: tuple[float, ...] | None = _setting("weight of each scale; equal by default", None)
    loss: str = _setting("loss", "l1", choices=tuple(LOSSES))

    steps: int = _setting("optimizer steps", 90_000)
    warm_up_steps: int = _setting("steps of linear warm-up, before the cosine decay to 0", 4_000)
    batch: int = _setting("images in a step, over all processes", 512)
    micro_batch: int = _setting("images in a forward pass of one process", 16, may_change=True)
    learning_rate: float = _setting("highest learning rate", 5e-5)
    weight_decay: float = _setting("AdamW's weight decay, of matrices alone", 0.04)
    clip_norm: float = _setting("largest norm of the gradient; 0 does not clip", 0.0)
    ema: float = _setting("decay of an average of the weights that is validated and exported, such as 0.9999", 0.0)
    seed: int = _setting("seed of the order of images", 0)
    held_out: int = _setting("images for validation, never trained on; at most a tenth of all", 64)
    min_side: int = _setting("skips images whose shorter side has fewer pixels", 32)

    precision: str = _setting("auto is bf16 on a GPU and fp32 on a CPU", "auto", choices=("auto", "bf16", "fp32"))
    checkpointing: bool = _setting("recompute activations to save memory", False, may_change=True)
    shard: bool = _setting(
        "with torchrun: keep a part of the weights, gradients and moments in each process (FSDP2)",
        False,
        may_change=True,
    )
    deterministic: bool = _setting("use kernels that repeat to the bit, which may be slower on a GPU", True)
    teacher_chunk: int = _setting("windows in a forward pass of the teacher", 64, may_change=True)
    workers: int = _setting("processes that read images, for each training process", 4, may_change=True)
    cache: str | None = _setting("folder where the teacher's tokens are kept, in float16", None)

    save_every: int = _setting("steps between checkpoints", 1_000, may_change=True)
    keep: int = _setting("checkpoints to keep, beside the best", 3, may_change=True)
    validate_every: int = _setting("steps between validations", 1_000, may_change=True)
    pictures_every: int = _setting("steps between PCA pictures; 0 for none", 5_000, may_change=True)
    pictures: int = _setting("held-out images in a PCA picture", 4, may_change=True)
    log_every: int = _setting("steps between lines of metrics.jsonl", 10, may_change=True)
    tensorboard: bool = _setting("write TensorBoard events", False, may_change=True)
    wandb: str | None = _setting("project of Weights & Biases", None, may_change=True)

    def __post_init__(self) -> None:
        positive = (
            "steps",
            "batch",
            "micro_batch",
            "teacher_chunk",
            "save_every",
            "keep",
            "validate_every",
            "log_every",
        )
        for name in positive:
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} is {getattr(self, name)}; it must be 1 or more.")
        if self.warm_up_steps < 0 or self.warm_up_steps >= self.steps:
            raise TrainingError(
                f"warm_up_steps is {self.warm_up_steps}; it must be below steps, {self.steps}, such as a tenth of it."
            )
        if not 0 <= self.ema < 1:
            raise TrainingError(f"ema is {self.ema}; it must be below 1, and 0 for none.")
        for item in fields(self):
            choices = item.metadata["choices"]
            if choices and getattr(self, item.name) not in choices:
                raise TrainingError(f"{item.name} is {getattr(self, item.name)!r}; use one of {', '.join(choices)}.")

    @property
    def has_service(self) -> bool:
        """Whether the teacher is a running service."""
        return self.teacher is not None and self.teacher.startswith(("grpc://", "grpcs://", "http://", "https://"))

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    def require_same_run(self, saved: dict[str, object]) -> None:
        """Refuses to resume a run of other settings."""
        own = self.as_dict()
        for item in fields(self):
            if not item.metadata["may_change"] and own[item.name] != saved.get(item.name, item.default):
                raise TrainingError(
                    f"{self.out} is a run with {item.name} = {saved.get(item.name)!r}; now it is {own[item.name]!r}. "
                    "Repeat the settings to resume it, or give another --out."
                )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for each setting, and --config."""
    parser.add_argument("--config", metavar="FILE", help="TOML file with settings; flags override it")
    hints = typing.get_type_hints(Settings)
    for item in fields(Settings):
        default = "" if item.default in (dataclasses.MISSING, None, False) else f" (default {item.default})"
        flag = f"--{item.name.replace('_', '-')}"
        text = item.metadata["help"].replace("%", "%%") + default
        kind = _plain_type(hints[item.name])
        if kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=text)
        elif item.name == "images":
            parser.add_argument(flag, nargs="+", metavar="SOURCE", help=text)
        else:
            parse = _comma_separated(typing.get_args(kind)[0]) if typing.get_origin(kind) is tuple else kind
            metavar = None if item.metadata["choices"] else _metavar(kind)
            parser.add_argument(flag, type=parse, choices=item.metadata["choices"], metavar=metavar, help=text)


def read_settings(arguments: argparse.Namespace) -> Settings:
    """Settings of a parsed command line."""
    names = {item.name for item in fields(Settings)}
    values: dict[str, object] = {}
    if arguments.config is not None:
        values = _read_config(Path(arguments.config), names)
    values |= {name: value for name in names if (value := getattr(arguments, name)) is not None}
    missing = [
        item.name for item in fields(Settings) if item.default is dataclasses.MISSING and item.name not in values
    ]
    if missing:
        raise TrainingError(f"Give {', '.join('--' + name for name in missing)}.")
    hints = typing.get_type_hints(Settings)
    for name, value in values.items():
        values[name] = _checked(name, value, _plain_type(hints[name]))
    return Settings(**values)  # type: ignore[arg-type]  # checked above


def _read_config(path: Path, names: set[str]) -> dict[str, object]:
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"{path}: {error}") from error
    values = {key.replace("-", "_"): value for key, value in table.items()}
    for name in values.keys() - names:
        raise TrainingError(f"{path} has {name}, which is no setting. See --help.")
    return values


def _checked(name: str, value: object, kind: type) -> object:
    """The value as its setting's type."""
    is_list = typing.get_origin(kind) is tuple
    member = typing.get_args(kind)[0] if is_list else kind
    given = list(value) if isinstance(value, list | tuple) else [value]
    if member is float:
        given = [float(item) if type(item) is int else item for item in given]
    if isinstance(value, list | tuple) != is_list or not all(type(item) is member for item in given):
        raise TrainingError(f"{name} is {value!r}; it must be {'a list of ' if is_list else ''}{member.__name__}.")
    return tuple(given) if is_list else given[0]


def _plain_type(hint: object) -> type:
    """The type without ``| None``."""
    if isinstance(hint, types.UnionType):
        hint = next(kind for kind in typing.get_args(hint) if kind is not types.NoneType)
    return typing.cast(type, hint)


def _metavar(kind: type) -> str:
    members = typing.get_args(kind)
    return f"{members[0].__name__.upper()},..." if members else kind.__name__.upper()


def _comma_separated(kind: type) -> typing.Callable[[str], tuple[object, ...]]:
    def parse(text: str) -> tuple[object, ...]:
        return tuple(kind(part) for part in text.split(","))

    parse.__name__ = f"comma-separated {kind.__name__}"
    return parse
