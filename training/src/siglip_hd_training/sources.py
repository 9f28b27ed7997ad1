"""Finds the images of folders, tar shards and lists."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .errors import TrainingError
from .image_table import ImageTable

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"))
COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")

Warn = Callable[[str], None]


def find_images(sources: Iterable[str], warn: Warn) -> ImageTable:
    """Finds all images, always in the same order.

    A source is a folder, which is searched recursively for images and ``.tar`` files; a ``.tar`` file, such as a
    webdataset shard; an image; or a text file that lists paths, one a line, relative to the list's folder.

    Args:
        sources: The sources.
        warn: Told about damaged shards. What precedes the damage is used.

    Raises:
        TrainingError: A source does not exist, is a compressed tar, or none has an image.
    """
    table = ImageTable()
    for source in sources:
        _add_source(Path(source), table, warn)
    if not len(table):
        raise TrainingError(
            f"There are no images in {', '.join(sources)}. Give a folder, .tar files, or a list of paths."
        )
    return table


def _add_source(path: Path, table: ImageTable, warn: Warn) -> None:
    if not path.exists():
        raise TrainingError(f"{path} does not exist. Give a folder, a .tar file, or a list of paths.")
    if path.is_dir():
        for file in _walk(path):
            if file.suffix.lower() == ".tar":
                _add_shard(file, table, warn)
            elif file.suffix.lower() in IMAGE_SUFFIXES:
                table.add_file(file)
    elif not _add_known(path, table, warn):
        for line in path.read_text(errors="surrogateescape").splitlines():
            if line.strip():
                _add_listed(path.parent / line.strip(), table, warn)


def _add_known(path: Path, table: ImageTable, warn: Warn) -> bool:
    """Adds a shard or an image; False for any other file."""
    if path.name.lower().endswith(COMPRESSED_TARS):
        raise TrainingError(f"{path} is compressed, and its members cannot be read in any order. Unpack it to a .tar.")
    if path.suffix.lower() == ".tar":
        _add_shard(path, table, warn)
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        table.add_file(path)
    else:
        return False
    return True


def _add_listed(path: Path, table: ImageTable, warn: Warn) -> None:
    # A listed image may have any name. If it is missing or broken, it is skipped when its turn comes.
    if not _add_known(path, table, warn):
        table.add_file(path)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(files))


def _add_shard(path: Path, table: ImageTable, warn: Warn) -> None:
    before = len(table)
    try:
        with tarfile.open(path, "r:") as shard:
            size_bytes = path.stat().st_size
            for member in shard:
                if member.offset_data + member.size > size_bytes:
                    raise tarfile.ReadError("unexpected end of data")
                if member.isfile() and Path(member.name).suffix.lower() in IMAGE_SUFFIXES:
                    table.add_member(path, member.name, member.offset_data, member.size)
                # tarfile keeps every member that it has seen; a shard has many.
                shard.members.clear()  # type: ignore[attr-defined]
    except (tarfile.TarError, OSError) as error:
        warn(f"{path} is damaged ({error}). Its first {len(table) - before} images are used.")
