"""Runs of the command line, with one process and with two."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import tiny
from siglip_hd_training.checkpoint import read_checkpoint

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(__file__).parents[1] / "src"),
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
}
TRAIN = ["-m", "siglip_hd_training", "train"]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
LIMIT_S = 300


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("inputs")
    base = tiny.save_checkpoint(tiny.siglip(), folder / "base")
    images = tiny.save_images(folder / "images", 20)
    (images / "008.png").write_bytes(b"no image")
    settings = {
        "warm_up_steps": 1,
        "batch": 4,
        "learning_rate": 1e-3,
        "workers": 1,
        "log_every": 1,
        "validate_every": 3,
        "pictures_every": 0,
        "min_side": 1,
    }
    (folder / "run.toml").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    return [f"--config={folder}/run.toml", f"--model={base}", f"--images={images}"]


def metrics(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines() if line.endswith("}")]


def run(arguments: list[str]) -> None:
    subprocess.run([sys.executable, *arguments], env=ENVIRONMENT, check=True, timeout=LIMIT_S)


@pytest.mark.parametrize("spread", [[], ["--shard"]])
def test_two_processes_give_the_curve_of_one_with_twice_the_batch(
    flags: list[str], tmp_path: Path, spread: list[str]
) -> None:
    two, one = tmp_path / "two", tmp_path / "one"
    run([*TORCHRUN, *TRAIN, *flags, "--steps=8", "--micro-batch=1", f"--out={two}", *spread])
    run([*TRAIN, *flags, "--steps=8", "--micro-batch=2", f"--out={one}"])
    for name in ("loss", "gradient_norm", "held_out_l1", "held_out_cosine", "skipped"):
        curves = [[line[name] for line in metrics(out) if name in line] for out in (two, one)]
        assert len(curves[0]) >= 3
        assert curves[0] == pytest.approx(curves[1], rel=1e-4), name
    assert metrics(two)[-2]["skipped"] > 0
    students = [read_checkpoint(out / "checkpoints" / "step-0000008.pt")["student"] for out in (two, one)]
    assert all(torch.allclose(students[0][name], students[1][name], atol=1e-4) for name in students[0])


def test_a_sharded_run_with_an_average_resumes_on_one_process(flags: list[str], tmp_path: Path) -> None:
    sharded, one = tmp_path / "sharded", tmp_path / "one"
    settings = ["--steps=8", "--micro-batch=1", "--ema=0.5", "--save-every=4", "--pictures-every=4", "--pictures=1"]
    run([*TORCHRUN, *TRAIN, *flags, *settings, f"--out={sharded}", "--shard"])
    (sharded / "checkpoints" / "step-0000008.pt").unlink()
    shutil.rmtree(sharded / "model")
    run([*TRAIN, *flags, *settings, f"--out={sharded}", "--no-shard"])
    run([*TRAIN, *flags, *settings, f"--out={one}"])
    ends = [read_checkpoint(out / "checkpoints" / "step-0000008.pt") for out in (sharded, one)]
    for kind in ("student", "ema"):
        assert all(torch.allclose(ends[0][kind][name], ends[1][kind][name], atol=1e-4) for name in ends[1][kind])


def stop_after_some_steps(command: list[str], out: Path, *, whole_group: bool) -> int:
    """Sends SIGTERM to a run in mid-course; returns its exit status."""
    process = subprocess.Popen([sys.executable, *command, f"--out={out}"], env=ENVIRONMENT, start_new_session=True)
    try:
        deadline = time.monotonic() + LIMIT_S
        while not (out / "metrics.jsonl").exists() or len(metrics(out)) < 5:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        if whole_group:
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()
        return process.wait(LIMIT_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def steps_done(out: Path) -> int:
    """The step of the last checkpoint, which must be the last step that was taken."""
    step: int = read_checkpoint(max((out / "checkpoints").glob("step-*.pt")))["step"]
    assert max(line["step"] for line in metrics(out)) == step
    return step


def test_sigterm_to_the_whole_group_saves_the_step_and_the_same_command_goes_on(
    flags: list[str], tmp_path: Path
) -> None:
    stopped, unbroken = tmp_path / "stopped", tmp_path / "unbroken"
    command = [*TRAIN, *flags, "--steps=80", "--save-every=1000", "--micro-batch=2", "--validate-every=1000"]
    # The workers get the signal too, as from slurm or a terminal.
    assert stop_after_some_steps(command, stopped, whole_group=True) == 0
    assert 1 <= steps_done(stopped) < 80
    run([*command, f"--out={stopped}"])
    run([*command, f"--out={unbroken}"])
    losses = [[line["loss"] for line in metrics(out) if "loss" in line] for out in (stopped, unbroken)]
    assert losses[0] == losses[1]
    students = [read_checkpoint(out / "checkpoints" / "step-0000080.pt")["student"] for out in (stopped, unbroken)]
    assert all(torch.equal(students[0][name], students[1][name]) for name in students[0])


def test_sigterm_to_torchrun_saves_the_step(flags: list[str], tmp_path: Path) -> None:
    command = [
        *TORCHRUN,
        *TRAIN,
        *flags,
        "--steps=2000",
        "--save-every=5000",
        "--micro-batch=1",
        "--validate-every=5000",
    ]
    stop_after_some_steps(command, tmp_path / "run", whole_group=False)
    assert 1 <= steps_done(tmp_path / "run") < 2000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learning-rate=1e30"], "error: At step 2 the loss is "),
        (["--images", "broken"], "error: None of 3 images in a row can be read. The last is "),
    ],
)
def test_a_run_that_fails_ends_with_its_workers(
    flags: list[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "broken").mkdir()
    for index in range(3):
        (tmp_path / "broken" / f"{index}.png").write_bytes(b"no image")
    command = [sys.executable, *TRAIN, *flags, "--steps=50", "--micro-batch=2", "--out=run", *arguments]
    done = subprocess.run(
        command, env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "empty"], "error: There are no images in empty."),
        (["--images", "missing"], "error: missing does not exist."),
        (["--steps", "100"], "error: warm_up_steps is 4000; it must be below steps, 100"),
    ],
)
def test_a_mistake_ends_with_one_line_that_says_what_to_do(
    tmp_path: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from siglip_hd_training.__main__ import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    base = tiny.save_checkpoint(tiny.siglip(), tmp_path / "base")
    given = ["train", f"--model={base}", "--images", "empty", "--out=run", "--micro-batch=512", *arguments]
    capsys.readouterr()  # the saving of the base
    assert main(given) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith(message)
    assert len(lines) == 1
