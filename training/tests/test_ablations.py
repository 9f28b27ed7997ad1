"""The script of the paper's tables trains students that differ in one thing, and prints what came out."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

import ablations
import tiny
from siglip_hd_training.settings import Settings, add_arguments, read_settings

SOURCE = tiny.REPOSITORY / "training" / "src"


def parse(flags: list[str]) -> Settings:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return read_settings(parser.parse_args(flags))


def weighty(settings: Settings) -> dict[str, Any]:
    """What decides the student's weights, beside its base and images."""
    ignored = {"model", "images", "cache"}
    names = [item.name for item in dataclasses.fields(Settings) if not item.metadata["may_change"]]
    return {name: getattr(settings, name) for name in names if name not in ignored}


def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Settings]:
    """The settings that each row's training would have."""
    found: list[Settings] = []
    monkeypatch.setattr(ablations.subprocess, "run", lambda command, **_: found.append(parse(command[4:])))
    given = argparse.Namespace(base="base", images="pages", out=tmp_path, seed=0, steps=560)
    for row in ablations.ROWS:
        ablations.train(row, 512, given)
    return dict(zip([row.name for row in ablations.ROWS], found, strict=True))


def test_each_row_differs_from_the_default_in_what_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {name: weighty(found) for name, found in commands(tmp_path, monkeypatch).items()}
    default = settings["default"]
    changes = {
        name: {key: value for key, value in found.items() if value != default[key]} for name, found in settings.items()
    }
    assert changes == {
        "default": {},
        "cosine": {"loss": "cosine"},
        "cosine+smooth_l1": {"loss": "cosine+smooth_l1"},
        "2x": {"scales": (1024,), "weights": (1,)},
        "1x,2x,3x": {"scales": (512, 1024, 1536), "weights": (1, 1, 1)},
        "weights-1,2": {"weights": (1, 2)},
        "weights-2,1": {"weights": (2, 1)},
    }


def test_the_default_row_is_nano_hd_as_the_readme_trains_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (tiny.REPOSITORY / "training" / "README.md").read_text()
    command = re.search(r"train (--model nano-base .*?)\n    python", readme, re.DOTALL)
    assert command is not None
    documented = parse(shlex.split(command[1].replace("\\\n", " ")))
    # The script spells the scales and weights out that the trainer would take.
    documented = dataclasses.replace(documented, scales=(512, 1024), weights=(1, 1))
    assert weighty(commands(tmp_path, monkeypatch)["default"]) == weighty(documented)


def test_a_row_is_trained_once_and_printed_with_its_base_and_teacher(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    given = argparse.Namespace(
        base=tiny.FIXTURES / "siglip-tiny",
        images=tiny.save_images(tmp_path / "images", 12),
        out=tmp_path / "out",
        fonts=None,
        pages=(6, 4),
        rows=["weights-1,2"],
        seed=0,
        steps=20,
    )
    printed = []
    for _ in range(2):
        ablations.run(given)
        printed.append(capsys.readouterr().out)
        monkeypatch.setattr(ablations.subprocess, "run", not_again)
    assert printed[0] == printed[1]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed[0].splitlines()]
    assert header == ["student", "tokens", "L1", "cosine", "digits", "marks", "patterns"]
    assert [row[:2] for row in rows] == [["weights-1,2", encoder] for encoder in ("base", "student", "teacher")]
    metrics = [
        json.loads(line) for line in (tmp_path / "out" / "weights-1,2" / "metrics.jsonl").read_text().splitlines()
    ]
    held_out = [f"{line['held_out_l1']:.4f}" for line in metrics if "held_out_l1" in line]
    assert [row[2] for row in rows] == [held_out[0], held_out[-1], "-"]
    assert all(re.fullmatch(r"\d\.\d{3} / \d\.\d{3}", cell) for row in rows for cell in row[4:])


def not_again(*_arguments: Any, **_options: Any) -> None:
    raise subprocess.SubprocessError("trained again")
