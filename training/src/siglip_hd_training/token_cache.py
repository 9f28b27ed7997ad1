"""Shards of the teacher's tokens on disk, in float16."""

from __future__ import annotations

import json
import os
import time
import zlib
from pathlib import Path

import numpy as np
import torch

#: An entry of an index: the image file's SHA-256, and the CRC-32 of its tokens.
_ENTRY_BYTES = 32 + 4
_SHARD_BYTES = 1 << 30


class TokenCache:
    """Tokens by the SHA-256 of the image's file.

    A shard is a pair of files: ``NAME.tokens``, records of one size, and ``NAME.index``, an entry for each record. A
    process writes shards of its own and reads those of all, also while they grow. A record is written before its entry,
    and one that does not match its entry counts as missing; so nothing is lost or wrong after a crash.

    Args:
        folder: The cache's folder. Each teacher has a folder of its own in it.
        key: Names the teacher's folder.
        shape: Tokens and channels of a record.
        rank: This process's number among those that train together.
        about: What the key stands for; written to about.json.
    """

    def __init__(self, folder: str, key: str, shape: tuple[int, int], rank: int, about: dict[str, object]) -> None:
        self._folder = Path(folder, key)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f".about-{rank}").write_text(json.dumps(about, indent=2) + "\n")
        os.replace(self._folder / f".about-{rank}", self._folder / "about.json")
        self._shape = shape
        self._record_bytes = shape[0] * shape[1] * 2
        self._rank = rank
        self._places: dict[bytes, tuple[Path, int, int]] = {}
        self._entries_read: dict[Path, int] = {}
        self._own: Path | None = None
        self._own_records = 0

    def get(self, digest: bytes) -> torch.Tensor | None:
        """The tokens of an image, or None."""
        if digest not in self._places:
            self._read_indexes()
        place = self._places.get(digest)
        if place is None:
            return None
        shard, record, crc = place
        with shard.open("rb") as file:
            file.seek(record * self._record_bytes)
            content = bytearray(file.read(self._record_bytes))
        if len(content) != self._record_bytes or zlib.crc32(content) != crc:
            return None
        return torch.from_numpy(np.frombuffer(content, np.float16).reshape(self._shape))

    def put(self, digest: bytes, tokens: torch.Tensor) -> None:
        """Keeps the float16 tokens of an image."""
        if self._own is None or self._own_records * self._record_bytes >= _SHARD_BYTES:
            self._own = self._folder / f"{self._rank}-{time.time_ns()}-{os.getpid()}.tokens"
            self._own_records = 0
        content = tokens.numpy().tobytes()
        crc = zlib.crc32(content)
        with self._own.open("ab") as file:
            file.write(content)
        with self._own.with_suffix(".index").open("ab") as file:
            file.write(digest + crc.to_bytes(4, "little"))
        self._places[digest] = (self._own, self._own_records, crc)
        self._own_records += 1

    def _read_indexes(self) -> None:
        """Reads the entries that were added since the last call."""
        for index in sorted(self._folder.glob("*.index")):
            before = self._entries_read.get(index, 0)
            if index.stat().st_size < (before + 1) * _ENTRY_BYTES:
                continue
            with index.open("rb") as file:
                file.seek(before * _ENTRY_BYTES)
                content = file.read()
            count = len(content) // _ENTRY_BYTES
            for number in range(count):
                entry = content[number * _ENTRY_BYTES : (number + 1) * _ENTRY_BYTES]
                crc = int.from_bytes(entry[32:], "little")
                self._places[entry[:32]] = (index.with_suffix(".tokens"), before + number, crc)
            self._entries_read[index] = before + count
