"""Makes the parts of a run from its settings."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from .errors import TrainingError
from .order import Order
from .preprocessing import Preprocessing
from .processes import Processes
from .samples import Samples
from .service_tokens import ServiceTokens
from .settings import Settings
from .sources import find_images
from .teacher import Teacher, check_scales
from .token_source import CachedTokens, LocalTokens, TokenSource
from .tower import Tower, load_model, resized

Autocast = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Parts:
    """What a run trains, with what, on what."""

    settings: Settings
    student: Tower
    preprocessing: Preprocessing
    source: TokenSource
    samples: Samples
    autocast: Autocast


def assemble(settings: Settings, processes: Processes, warn: Callable[[str], None]) -> Parts:
    """Loads models and finds images. The parts' settings have the scales and weights that were left out."""
    base = load_model(settings.model)
    preprocessing = Preprocessing.read(settings.model)
    student = _student(base, settings).to(processes.device)
    precision, autocast = _precision(settings, processes.device)
    teacher = _teacher_model(settings, base, preprocessing)
    settings = _with_scales(settings, teacher.config.image_size)
    source: TokenSource
    if settings.has_service:
        source = ServiceTokens(settings, student.side)
    else:
        tower = Tower(teacher, settings.features).to(processes.device)
        own = Teacher(tower, preprocessing, settings.scales, settings.weights, student.side, settings.teacher_chunk)
        source = LocalTokens(own, processes.device, autocast, precision)
    if settings.cache is not None:
        source = CachedTokens(source, settings.cache, (student.side**2, student.channels), processes.rank)
    return Parts(
        settings, student, preprocessing, source, _samples(settings, student, source, preprocessing, warn), autocast
    )


def _student(base: PreTrainedModel, settings: Settings) -> Tower:
    side = settings.image_size or base.config.image_size
    model = copy.deepcopy(base) if side == base.config.image_size else resized(base, side)
    student = Tower(model, settings.features)
    student.freeze_unused()
    if settings.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return student.train()


def _precision(settings: Settings, device: torch.device) -> tuple[str, Autocast]:
    precision = settings.precision
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" else "fp32"
    return precision, lambda: torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def _teacher_model(settings: Settings, base: PreTrainedModel, preprocessing: Preprocessing) -> PreTrainedModel:
    """The teacher's model; the base, if the teacher is a service, of which only the image size matters."""
    if settings.teacher is None or settings.has_service:
        return base
    model = load_model(settings.teacher)
    if Preprocessing.read(settings.teacher) != preprocessing:
        raise TrainingError(
            f"{settings.teacher} and {settings.model} preprocess images differently. Use another teacher."
        )
    if model.config.hidden_size != base.config.hidden_size:
        raise TrainingError(
            f"{settings.teacher} has {model.config.hidden_size} channels and the student {base.config.hidden_size}. "
            "Use a teacher of the student's width."
        )
    return model


def _with_scales(settings: Settings, image_size: int) -> Settings:
    scales = settings.scales or (image_size, 2 * image_size)
    weights = settings.weights or (1.0,) * len(scales)
    check_scales(scales, weights, image_size)
    return dataclasses.replace(settings, scales=scales, weights=weights)


def _samples(
    settings: Settings,
    student: Tower,
    source: TokenSource,
    preprocessing: Preprocessing,
    warn: Callable[[str], None],
) -> Samples:
    table = find_images(settings.images, warn)
    order = Order(len(table), min(settings.held_out, len(table) // 10), settings.seed)
    if settings.held_out and not order.held_out:
        warn(f"{len(table)} images are too few to hold some out: there is no validation, no best.pt and no picture.")
    return Samples(
        table,
        order,
        preprocessing,
        (student.image_size, *source.sides),
        keeps_files=source.needs_files,
        min_side=settings.min_side,
    )
