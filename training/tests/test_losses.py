"""The losses are the formulas, and their gradients are right."""

from __future__ import annotations

import math

import pytest
import torch

import tiny
from siglip_hd_training.losses import LOSSES
from siglip_hd_training.tower import Tower

Token = list[float]


def plain_l1(student: list[Token], teacher: list[Token]) -> float:
    differences = [abs(s - t) for a, b in zip(student, teacher, strict=True) for s, t in zip(a, b, strict=True)]
    return sum(differences) / len(differences)


def plain_cosine(student: list[Token], teacher: list[Token]) -> float:
    total = 0.0
    for a, b in zip(student, teacher, strict=True):
        product = sum(s * t for s, t in zip(a, b, strict=True))
        total += 1 - product / math.sqrt(sum(s * s for s in a) * sum(t * t for t in b))
    return total / len(student)


def plain_smooth_l1(student: list[Token], teacher: list[Token]) -> float:
    differences = [abs(s - t) for a, b in zip(student, teacher, strict=True) for s, t in zip(a, b, strict=True)]
    return sum(0.5 * d * d if d < 1 else d - 0.5 for d in differences) / len(differences)


PLAIN = {
    "l1": plain_l1,
    "cosine": plain_cosine,
    "cosine+smooth_l1": lambda s, t: 0.9 * plain_cosine(s, t) + 0.1 * plain_smooth_l1(s, t),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_equals_its_plain_formula(name: str) -> None:
    torch.manual_seed(1)
    student, teacher = torch.randn(2, 3, 5, 7, dtype=torch.float64).unbind()
    rows = [tokens.reshape(-1, 7).tolist() for tokens in (student, teacher)]
    assert LOSSES[name](student, teacher).item() == pytest.approx(PLAIN[name](*rows), abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_of_a_tiny_model_equals_finite_differences(name: str) -> None:
    tower = Tower(tiny.siglip().double())
    tower.freeze_unused()
    torch.manual_seed(2)
    pixels = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    teacher = torch.randn(2, 16, 8, dtype=torch.float64)

    def tokens() -> torch.Tensor:
        # The tower itself gives float32, in which differences are too coarse.
        return tower.model(pixel_values=pixels).last_hidden_state

    LOSSES[name](tokens(), teacher).backward()
    step = 1e-6
    for label, parameter in tower.named_parameters():
        if parameter.grad is None:
            continue
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        index = int(gradient.abs().argmax())
        value = flat[index].item()
        ends = []
        for moved in (value + step, value - step):
            flat[index] = moved
            with torch.no_grad():
                ends.append(LOSSES[name](tokens(), teacher).item())
        flat[index] = value
        assert gradient[index].item() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4, abs=1e-8), label
