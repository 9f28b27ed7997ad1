"""Tables 8, 9 and 10 of the paper at nano scale: a student for each row, all from one base and one seed.

Each student has nano-hd's settings but for what its row names. The script prints a row as soon as it has one: the
student's distance to its own teacher on held-out pages, and the linear probe of student and teacher. Run it again
to go on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.utils.logging import disable_progress_bar

from siglip_hd_training.kinds import GROUPS
from siglip_hd_training.pages import Page
from siglip_hd_training.probe import Patches, draw_pages, encode_pages, fit_probe, load_encoder, score
from siglip_hd_training.teacher import Teacher
from siglip_hd_training.trainer import MODEL_FOLDER

#: The number of the probe's first page, and how often it is fitted.
FIRST_PROBE_PAGE, PROBE_SEEDS = 1000, 3

Scores = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Row:
    """A student: its name, the teacher's scales as multiples of the base's view, their weights, and the loss."""

    name: str
    times: tuple[int, ...] = (1, 2)
    weights: tuple[float, ...] = (1, 1)
    loss: str = "l1"

    def scales(self, view: int) -> tuple[int, ...]:
        """The teacher's scales."""
        return tuple(view * times for times in self.times)


ROWS = (
    Row("default"),
    Row("cosine", loss="cosine"),
    Row("cosine+smooth_l1", loss="cosine+smooth_l1"),
    Row("2x", (2,), (1,)),
    Row("1x,2x,3x", (1, 2, 3), (1, 1, 1)),
    Row("weights-1,2", weights=(1, 2)),
    Row("weights-2,1", weights=(2, 1)),
)


def train(row: Row, view: int, given: argparse.Namespace) -> Path:
    """Trains a row's student, unless it is finished; returns the run's folder."""
    out = given.out / row.name
    if (out / MODEL_FOLDER).exists():
        return out
    flags = {
        "model": given.base,
        "images": given.images,
        "out": out,
        "cache": given.out / "cache",
        "scales": _commas(row.scales(view)),
        "weights": _commas(row.weights),
        "loss": row.loss,
        "seed": given.seed,
        "steps": given.steps,
        "warm-up-steps": given.steps // 20,
        "batch": 1,
        "micro-batch": 1,
        "learning-rate": 1.2e-3,
        "held-out": 16,
        "workers": 0,
        "validate-every": 100,
        "save-every": 100,
        "pictures-every": 0,
    }
    command = [sys.executable, "-m", "siglip_hd_training", "train"]
    command += [text for name, value in flags.items() for text in (f"--{name}", str(value))]
    with (given.out / f"{row.name}.log").open("a") as log:
        subprocess.run(command, stdout=log, stderr=log, check=True)
    return out


def distances(run: Path) -> tuple[dict[str, float], dict[str, float]]:
    """The first and the last distance to the teacher on held-out pages: the base's and the student's."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    measured = [line for line in lines if "held_out_l1" in line]
    return measured[0], measured[-1]


def probe(encoder: Teacher, pages: tuple[list[Page], list[Page]], kept: Path) -> Scores:
    """Precision at k and mean average precision over all heights, for each group; kept in a file."""
    if not kept.exists():
        fit, test = (encode_pages(encoder, part, torch.device("cpu")) for part in pages)
        kept.write_text(json.dumps({group: _mean_scores(fit.of(group), test.of(group)) for group in GROUPS}))
    return json.loads(kept.read_text())


def _mean_scores(fit: Patches, test: Patches) -> tuple[float, float]:
    shows = test.where(test.shown.any(1))
    scores = [score(fit_probe(fit, seed)(shows.tokens), shows.shown) for seed in range(PROBE_SEEDS)]
    precision = sum(one.precision for one in scores) / PROBE_SEEDS
    return precision, sum(one.average_precision for one in scores) / PROBE_SEEDS


def _cells(distance: dict[str, float] | None, scores: Scores) -> str:
    near = f"{distance['held_out_l1']:.4f} | {distance['held_out_cosine']:.4f}" if distance else "- | -"
    read = [f"{precision:.3f} / {average:.3f}" for precision, average in (scores[group] for group in GROUPS)]
    return " | ".join([near, *read])


def _two(text: str) -> tuple[int, int]:
    first, second = text.split(",")
    return int(first), int(second)


def _commas(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{number:g}" for number in numbers)


def run(given: argparse.Namespace) -> None:
    """Trains and probes the rows."""
    given.out.mkdir(parents=True, exist_ok=True)
    fit, test = given.pages
    pages = draw_pages((fit, test), given.fonts, first=FIRST_PROBE_PAGE)
    print(f"| student | tokens | L1 | cosine | {' | '.join(GROUPS)} |\n| {'--- | ' * (4 + len(GROUPS))}".rstrip())
    base = load_encoder(str(given.base), None, None)
    base_scores = probe(base, pages, given.out / "base.json")
    for row in ROWS:
        if given.rows and row.name not in given.rows:
            continue
        view = base.tower.image_size
        folder = train(row, view, given)
        first, last = distances(folder)
        student = load_encoder(str(folder / "model"), None, None)
        student_scores = probe(student, pages, folder / "probe.json")
        teacher = load_encoder(str(given.base), None, row.scales(view), row.weights)
        teacher_scores = probe(teacher, pages, given.out / f"teacher-{_commas(row.times)}-{_commas(row.weights)}.json")
        print(f"| {row.name} | base | {_cells(first, base_scores)} |")
        print(f"| {row.name} | student | {_cells(last, student_scores)} |")
        print(f"| {row.name} | teacher | {_cells(None, teacher_scores)} |", flush=True)


def main() -> None:
    """Reads the command line."""
    disable_progress_bar()  # of loading weights
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, default=Path("weights/nano-base"), help="(default weights/nano-base)")
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="pages of draw-pages")
    parser.add_argument("--fonts", type=Path, metavar="FOLDER", help="fonts of the probe's pages")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a folder for the runs")
    parser.add_argument("--steps", type=int, default=560, help="steps of each student (default 560)")
    parser.add_argument("--pages", type=_two, default=(40, 30), metavar="FIT,TEST", help="of the probe (default 40,30)")
    parser.add_argument("--rows", nargs="+", choices=[row.name for row in ROWS], metavar="ROW", help="(default all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the order of pages (default 0)")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
