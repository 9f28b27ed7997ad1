"""Makes the parts of a run from its settings."""

from __future__ import annotations

import copy
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
from .service_tokens import SCHEMES, ServiceTokens
from .settings import Settings
from .sources import find_images
from .teacher import Teacher, check_scales
from .token_source import CachedTokens, LocalTokens, TokenSource
from .tower import Tower, load_model, resized

Autocast = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Parts:
    """What a run trains, with what, on what."""

    student: Tower
    preprocessing: Preprocessing
    source: TokenSource
    samples: Samples
    autocast: Autocast


def assemble(settings: Settings, processes: Processes, warn: Callable[[str], None]) -> Parts:
    """Loads models and finds images."""
    base = load_model(settings.model)
    preprocessing = Preprocessing.read(settings.model)
    student = _student(base, settings).to(processes.device)
    precision, autocast = _precision(settings, processes.device)
    source = _source(settings, processes, base, student, precision, autocast)
    if settings.cache is not None:
        source = CachedTokens(source, settings.cache, (student.side**2, student.channels), processes.rank)
    table = find_images(settings.images, warn)
    order = Order(len(table), min(settings.held_out, len(table) // 10), settings.seed)
    samples = Samples(
        table,
        order,
        preprocessing,
        (student.image_size, *source.sides),
        keeps_files=source.needs_files,
        min_side=settings.min_side,
    )
    return Parts(student, preprocessing, source, samples, autocast)


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


def _source(
    settings: Settings,
    processes: Processes,
    base: PreTrainedModel,
    student: Tower,
    precision: str,
    autocast: Autocast,
) -> TokenSource:
    image_size = base.config.image_size
    is_service = settings.teacher is not None and settings.teacher.startswith(SCHEMES)
    model, preprocessing = base, Preprocessing.read(settings.model)
    if settings.teacher is not None and not is_service:
        model = load_model(settings.teacher)
        image_size = model.config.image_size
        if Preprocessing.read(settings.teacher) != preprocessing:
            raise TrainingError(
                f"{settings.teacher} takes images otherwise than {settings.model}. Use a teacher like the base."
            )
        if model.config.hidden_size != student.channels:
            raise TrainingError(
                f"{settings.teacher} has {model.config.hidden_size} channels and the student {student.channels}. "
                "Use a teacher of the student's width."
            )
    scales = settings.scales or (image_size, 2 * image_size)
    weights = settings.weights or (1.0,) * len(scales)
    if settings.teacher is not None and is_service:
        check_scales(scales, weights, image_size)
        return ServiceTokens(
            settings.teacher,
            model=settings.teacher_model,
            scales=scales,
            weights=weights,
            side=student.side,
            features=settings.features,
        )
    tower = Tower(model, settings.features).to(processes.device)
    teacher = Teacher(tower, preprocessing, scales, weights, student.side, settings.teacher_chunk)
    return LocalTokens(teacher, processes.device, autocast, precision)
