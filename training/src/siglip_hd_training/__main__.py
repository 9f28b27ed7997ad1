"""The command line: `python -m siglip_hd_training COMMAND`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from transformers.utils.logging import disable_progress_bar

from . import probe_table
from .checkpoint import read_checkpoint
from .errors import TrainingError
from .export import export
from .processes import Processes
from .settings import add_arguments, read_settings
from .trainer import Trainer


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m siglip_hd_training", description=sys.modules[__package__].__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="trains a student; resumes if its folder has checkpoints")
    add_arguments(train)
    write = commands.add_parser("export", help="writes a checkpoint's student as a Hugging Face folder")
    write.add_argument("checkpoint", type=Path)
    write.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a folder that does not exist yet")
    measure = commands.add_parser("probe", help="measures how well digits can be read from an encoder's tokens")
    probe_table.add_arguments(measure)
    given = parser.parse_args(arguments)
    disable_progress_bar()  # of loading weights
    try:
        if given.command == "train":
            _train(given)
        elif given.command == "probe":
            probe_table.run(given)
        else:
            _export(given.checkpoint, given.out)
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


def _export(checkpoint: Path, out: Path) -> None:
    if out.exists():
        raise TrainingError(f"{out} exists. Remove it, or choose another folder.")
    export(read_checkpoint(checkpoint), out)
    print(f"The model is in {out}.")


if __name__ == "__main__":
    sys.exit(main())
