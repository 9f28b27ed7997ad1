"""A short run of all that makes nano-base and nano-hd: the student comes nearer to the teacher. It claims no more."""

from __future__ import annotations

import json
from pathlib import Path

from siglip_hd_training.__main__ import main


def test_a_student_of_a_small_base_comes_nearer_to_the_teacher_on_held_out_pages(tmp_path: Path) -> None:
    base, pages, out = (tmp_path / name for name in ("base", "pages", "run"))
    assert main(["nano-base", f"--out={base}", "--steps=100", "--channels=64", "--layers=2"]) == 0
    losses = [json.loads(line)["loss"] for line in (tmp_path / "base.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]

    assert main(["draw-pages", f"--out={pages}", "--pages=30"]) == 0
    flags = ["--steps=30", "--warm-up-steps=3", "--batch=1", "--micro-batch=1", "--learning-rate=1e-3"]
    assert main(["train", f"--model={base}", f"--images={pages}", f"--out={out}", *flags, "--workers=0"]) == 0
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    before, *_, after = [line for line in lines if "held_out_l1" in line]
    assert after["held_out_l1"] < 0.9 * before["held_out_l1"]
    assert after["held_out_cosine"] > before["held_out_cosine"]
