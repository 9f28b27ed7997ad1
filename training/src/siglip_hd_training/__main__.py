"""The command line: `python -m siglip_hd_training COMMAND`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from transformers.utils.logging import disable_progress_bar

from . import base, draw_pages, probe_table
from .checkpoint import read_checkpoint
from .errors import TrainingError
from .export import export
from .processes import Processes
from .settings import add_arguments, read_settings
from .trainer import Trainer

_DTYPES = {"float32": torch.float32, "float16": torch.float16}


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m siglip_hd_training", description=sys.modules[__package__].__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="trains a student; resumes if its folder has checkpoints")
    add_arguments(train)
    write = commands.add_parser("export", help="writes a checkpoint's student as a Hugging Face folder")
    write.add_argument("checkpoint", type=Path)
    write.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a folder that does not exist yet")
    write.add_argument("--dtype", choices=_DTYPES, default="float32", help="type of the weights (default float32)")
    measure = commands.add_parser("probe", help="measures what can be read from an encoder's tokens")
    probe_table.add_arguments(measure)
    draw_pages.add_arguments(commands.add_parser("draw-pages", help="writes synthetic documents as images"))
    base.add_arguments(commands.add_parser("nano-base", help="trains a small base on synthetic documents"))
    given = parser.parse_args(arguments)
    disable_progress_bar()  # of loading weights
    try:
        if given.command == "train":
            _train(given)
        elif given.command == "probe":
            probe_table.run(given)
        elif given.command == "draw-pages":
            draw_pages.run(given)
        elif given.command == "nano-base":
            base.run(given)
        else:
            _export(given.checkpoint, given.out, _DTYPES[given.dtype])
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _train(given: argparse.Namespace) -> None:
    settings = read_settings(given)
    processes = Processes.start()
    try:
        Trainer(settings, processes).run()
    finally:
        processes.stop()


def _export(checkpoint: Path, out: Path, dtype: torch.dtype) -> None:
    if out.exists():
        raise TrainingError(f"{out} exists. Remove it, or choose another folder.")
    export(read_checkpoint(checkpoint), out, dtype)
    print(f"The model is in {out}.")


if __name__ == "__main__":
    sys.exit(main())
