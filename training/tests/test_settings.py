"""Settings come from flags and a file, and the paper's are the defaults."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch

import tiny
from siglip_hd_training.errors import TrainingError
from siglip_hd_training.optimizer import build_optimizer, learning_rate
from siglip_hd_training.settings import Settings, add_arguments, read_settings

REQUIRED = ["--model=base", "--images", "a", "b", "--out=run"]


def read(*flags: str) -> Settings:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return read_settings(parser.parse_args(flags))


def test_the_defaults_are_the_papers() -> None:
    settings = read(*REQUIRED)
    assert (settings.steps, settings.warm_up_steps, settings.batch) == (90_000, 4_000, 512)
    assert (settings.learning_rate, settings.weight_decay, settings.loss) == (5e-5, 0.04, "l1")
    assert settings.images == ("a", "b")


def test_flags_override_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'model = "base"\nimages = ["a"]\nout = "run"\nscales = [16, 32]\nweights = [1, 2]\nloss = "cosine"\n'
    )
    settings = read(f"--config={file}", "--loss=cosine+smooth_l1", "--weights=1,3", "--checkpointing")
    assert (settings.loss, settings.scales, settings.weights) == ("cosine+smooth_l1", (16, 32), (1.0, 3.0))
    assert settings.checkpointing


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sclaes = [16]", "has sclaes, which is no setting"),
        ('steps = "many"', "steps is 'many'; it must be int"),
        ("scales = 16", "scales is 16; it must be a list of int"),
        ("batch = 0", "batch is 0; it must be 1 or more"),
        ("ema = 1.0", "ema is 1.0; it must be below 1"),
        ('loss = "l2"', "loss is 'l2'; use one of l1, cosine"),
        ("= 3", "Invalid"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "run.toml").write_text(line)
    with pytest.raises(TrainingError, match=message):
        read(f"--config={tmp_path / 'run.toml'}", *REQUIRED)


def test_what_is_required_is_asked_for() -> None:
    with pytest.raises(TrainingError, match="Give --model, --images, --out"):
        read()


def test_the_learning_rate_warms_up_linearly_and_falls_as_a_cosine_to_zero() -> None:
    settings = read(*REQUIRED, "--steps=110", "--warm-up-steps=10", "--learning-rate=2.0")
    rates = [learning_rate(step, settings) for step in range(111)]
    assert rates[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
    assert rates[10] == max(rates) == 2.0
    assert rates[60] == pytest.approx(1.0)
    assert rates[110] == pytest.approx(0.0, abs=1e-12)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_matrices_decay_and_biases_and_norms_do_not() -> None:
    model = tiny.siglip()
    optimizer = build_optimizer(model, read(*REQUIRED))
    decay = {id(one): group["weight_decay"] for group in optimizer.param_groups for one in group["params"]}
    named = dict(model.named_parameters())
    assert set(decay) == {id(one) for one in named.values()}
    assert decay[id(named["encoder.layers.0.mlp.fc1.weight"])] == 0.04
    for name in ("encoder.layers.0.mlp.fc1.bias", "post_layernorm.weight", "encoder.layers.1.layer_norm1.bias"):
        assert decay[id(named[name])] == 0
    assert isinstance(optimizer, torch.optim.AdamW)
