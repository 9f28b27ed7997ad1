"""Where each training image lies."""

from __future__ import annotations

from array import array
from pathlib import Path

WHOLE_FILE = -1


class ImageTable:
    """The images of a run: whole files, or members of tar shards.

    Millions of images fit: an image takes its name and 28 bytes. They are in few objects, so forked processes share
    them.
    """

    def __init__(self) -> None:
        self._files: list[str] = []
        self._file = array("i")
        self._offset = array("q")
        self._size = array("q")
        self._names = bytearray()
        self._name_ends = array("q")

    def __len__(self) -> int:
        return len(self._file)

    def add_file(self, path: Path) -> None:
        """Adds an image file."""
        self._add("", path.as_posix(), 0, WHOLE_FILE)

    def add_member(self, shard: Path, name: str, offset: int, size: int) -> None:
        """Adds ``size`` bytes at ``offset`` of a tar shard."""
        self._add(shard.as_posix(), name, offset, size)

    def _add(self, file: str, name: str, offset: int, size: int) -> None:
        if not self._files or self._files[-1] != file:
            self._files.append(file)
        self._file.append(len(self._files) - 1)
        self._offset.append(offset)
        self._size.append(size)
        self._names += name.encode("utf-8", "surrogateescape")
        self._name_ends.append(len(self._names))

    def name(self, index: int) -> str:
        """The image's path, or ``SHARD:MEMBER``."""
        shard, name = self._files[self._file[index]], self._own_name(index)
        return f"{shard}:{name}" if shard else name

    def read(self, index: int) -> bytes:
        """The image's file. Raises OSError."""
        if self._size[index] == WHOLE_FILE:
            return Path(self._own_name(index)).read_bytes()
        with open(self._files[self._file[index]], "rb") as shard:
            shard.seek(self._offset[index])
            return shard.read(self._size[index])

    def _own_name(self, index: int) -> str:
        start = self._name_ends[index - 1] if index else 0
        return self._names[start : self._name_ends[index]].decode("utf-8", "surrogateescape")
