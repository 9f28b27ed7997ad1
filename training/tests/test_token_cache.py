"""Cached tokens are the teacher's, whatever happened to the cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import tiny
from siglip_hd_training.__main__ import main
from siglip_hd_training.samples import Batch
from siglip_hd_training.teacher import Teacher
from siglip_hd_training.token_cache import TokenCache

SHAPE = (4, 3)


def cache(folder: Path, rank: int = 0, key: str = "key") -> TokenCache:
    return TokenCache(str(folder), key, SHAPE, rank, {})


def tokens(value: float) -> torch.Tensor:
    return torch.full(SHAPE, value, dtype=torch.float16)


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_a_process_finds_what_another_adds_while_both_run(tmp_path: Path) -> None:
    one, other = cache(tmp_path, 0), cache(tmp_path, 1)
    one.put(digest(1), tokens(1))
    assert torch.equal(other.get(digest(1)), tokens(1))
    other.put(digest(2), tokens(2))
    one.put(digest(3), tokens(3))
    for reader in (one, other, cache(tmp_path)):
        for number in (1, 2, 3):
            assert torch.equal(reader.get(digest(number)), tokens(number))
        assert reader.get(digest(4)) is None
    assert cache(tmp_path, key="another teacher").get(digest(1)) is None


@pytest.mark.parametrize("damage", ["tokens cut", "index cut", "bytes changed"])
def test_a_record_that_a_crash_damaged_is_missing_and_can_be_written_again(tmp_path: Path, damage: str) -> None:
    writer = cache(tmp_path)
    writer.put(digest(1), tokens(1))
    writer.put(digest(2), tokens(2))
    [shard], [index] = tmp_path.rglob("*.tokens"), tmp_path.rglob("*.index")
    file = index if damage == "index cut" else shard
    content = bytearray(file.read_bytes())
    if damage == "bytes changed":
        content[-1] ^= 1
    else:
        del content[-5:]
    file.write_bytes(content)
    reader = cache(tmp_path)
    assert reader.get(digest(2)) is None
    assert torch.equal(reader.get(digest(1)), tokens(1))
    reader.put(digest(2), tokens(2))
    assert torch.equal(cache(tmp_path).get(digest(2)), tokens(2))


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., list[str]]:
    base = tiny.save_checkpoint(tiny.siglip(), tmp_path / "base")
    images = tiny.save_images(tmp_path / "images", 12)

    def run(name: str, *flags: str) -> list[str]:
        out = tmp_path / name
        fixed = ["--steps=8", "--warm-up-steps=1", "--batch=4", "--micro-batch=4", "--learning-rate=1e-3"]
        more = ["--workers=0", "--min-side=1", "--log-every=1", f"--cache={tmp_path / 'cache'}"]
        assert main(["train", f"--model={base}", f"--images={images}", f"--out={out}", *fixed, *more, *flags]) == 0
        lines = (out / "metrics.jsonl").read_text().splitlines()
        return [line.partition(', "images_per_s"')[0] for line in lines]

    return run


def test_a_full_cache_gives_the_same_run_as_an_empty_one_without_the_teacher(
    train: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train("first")

    def refuse(_self: Teacher, _views: object) -> torch.Tensor:
        raise AssertionError("the teacher ran")

    monkeypatch.setattr(Teacher, "forward", refuse)
    assert train("second") == first


def test_another_teacher_has_a_cache_of_its_own(train: Callable[..., list[str]], tmp_path: Path) -> None:
    changes = ["--scales=16", "--weights=1,2", "--features=pre_norm", "--precision=bf16"]
    for count, flag in enumerate(["--seed=0", *changes], start=1):
        train(f"run{count}", flag)
        assert len(list((tmp_path / "cache").iterdir())) == count


def test_taking_samples_of_a_batch_keeps_their_views_together() -> None:
    batch = Batch({8: torch.arange(3)}, [b"a", b"b", b"c"], [b"1", b"2", b"3"], ["x", "y", "z"], ["broken"])
    part = batch.take([2, 0])
    assert part.views[8].tolist() == [2, 0]
    assert (part.files, part.digests, part.names, part.skipped) == ([b"c", b"a"], [b"3", b"1"], ["z", "x"], [])
