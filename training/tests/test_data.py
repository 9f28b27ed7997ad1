"""Images are found, ordered and skipped as documented."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

import pytest
import torch

import tiny
from siglip_hd_training.errors import TrainingError
from siglip_hd_training.order import MicroBatches, Order
from siglip_hd_training.preprocessing import Preprocessing
from siglip_hd_training.samples import Samples, load
from siglip_hd_training.sources import find_images

PREPROCESSING = Preprocessing((0.5,) * 3, (0.5,) * 3, 1 / 255, 2)


def refuse(warning: str) -> None:
    raise AssertionError(warning)


def save_tar(path: Path, images: Path) -> Path:
    """A webdataset shard: an image and its label for each key."""
    with tarfile.open(path, "w") as shard:
        for image in sorted(images.iterdir()):
            for name, content in ((image.name, image.read_bytes()), (f"{image.stem}.txt", b"a label")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                shard.addfile(member, io.BytesIO(content))
    return path


def names(sources: list[Path]) -> list[str]:
    table = find_images([str(source) for source in sources], refuse)
    return [table.name(index) for index in range(len(table))]


def test_a_folder_is_searched_recursively_and_in_order(tmp_path: Path) -> None:
    tiny.save_images(tmp_path / "b", 2)
    tiny.save_images(tmp_path / "a" / "deep", 1)
    (tmp_path / "b" / "notes.txt").write_text("no image")
    assert names([tmp_path]) == [f"{tmp_path}/a/deep/000.png", f"{tmp_path}/b/000.png", f"{tmp_path}/b/001.png"]


def test_a_shard_gives_the_same_views_as_its_files(tmp_path: Path) -> None:
    images = tiny.save_images(tmp_path / "images", 3)
    shard = save_tar(tmp_path / "shard.tar", images)
    views = []
    for source in (images, shard):
        table = find_images([str(source)], refuse)
        samples = Samples(table, Order(len(table), 0, 1), PREPROCESSING, [8, 16])
        views.append([samples[slot].views for slot in range(6)])
    assert all(torch.equal(a[side], b[side]) for a, b in zip(*views, strict=True) for side in (8, 16))


def test_a_list_names_images_and_shards_relative_to_itself(tmp_path: Path) -> None:
    images = tiny.save_images(tmp_path / "images", 2)
    save_tar(tmp_path / "shard.tar", images)
    (tmp_path / "list.txt").write_text("images/001.png\n\nshard.tar\n")
    found = names([tmp_path / "list.txt"])
    assert found == [f"{images}/001.png", f"{tmp_path}/shard.tar:000.png", f"{tmp_path}/shard.tar:001.png"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty", None, "There are no images in"),
        ("missing.tar", None, "does not exist"),
        ("shard.tar.gz", b"", "Unpack it to a .tar"),
    ],
)
def test_a_source_without_images_is_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    (tmp_path / "empty").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TrainingError, match=message):
        find_images([str(tmp_path / name)], refuse)


def test_a_damaged_shard_gives_what_precedes_the_damage_and_a_warning(tmp_path: Path) -> None:
    shard = save_tar(tmp_path / "shard.tar", tiny.save_images(tmp_path / "images", 4))
    content = shard.read_bytes()
    with tarfile.open(shard) as whole:
        third = whole.getmembers()[4]
    shard.write_bytes(content[: third.offset_data + 10])
    (tmp_path / "noise.tar").write_bytes(b"x" * 2000)
    warnings: list[str] = []
    table = find_images([str(shard), str(tmp_path / "noise.tar")], warnings.append)
    assert len(table) == 2
    assert "first 2 images are used" in warnings[0]
    assert "noise.tar is damaged" in warnings[1]


def test_a_broken_image_is_skipped_with_its_reason_and_the_next_takes_its_place(tmp_path: Path) -> None:
    images = tiny.save_images(tmp_path, 5)
    file = images / "002.png"
    file.write_bytes(file.read_bytes()[:100])
    (images / "003.png").write_bytes(b"no image")
    table = find_images([str(images)], refuse)
    samples = Samples(table, Order(5, 0, 3), PREPROCESSING, [8])
    epoch = [samples[slot] for slot in range(5)]
    good = {f"{images}/{name}" for name in ("000.png", "001.png", "004.png")}
    assert {sample.name for sample in epoch} == good
    assert {reason.partition(":")[0] for sample in epoch for reason in sample.skipped} == {
        f"{images}/002.png",
        f"{images}/003.png",
    }


def test_a_missing_or_small_image_is_skipped_too(tmp_path: Path) -> None:
    tiny.save_images(tmp_path, 1)
    (tmp_path / "list.txt").write_text("000.png\ngone.png\n")
    table = find_images([str(tmp_path / "list.txt")], refuse)
    order = Order(2, 0, 0)
    reasons = [reason for slot in range(2) for reason in Samples(table, order, PREPROCESSING, [8])[slot].skipped]
    assert reasons == [f"{tmp_path}/gone.png: No such file or directory"]
    with pytest.raises(TrainingError, match=r"None of 2 images in a row can be read.*|42 x 54 pixels"):
        Samples(table, order, PREPROCESSING, [8], min_side=50)[0]


def test_each_epoch_has_every_training_image_once_in_an_order_of_its_own() -> None:
    order = Order(50, 8, seed=5)
    epochs = [[order.image(slot) for slot in range(start, start + 42)] for start in (0, 42)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(set(range(50)) - set(order.held_out))
    assert epochs[0] != epochs[1]
    again = Order(50, 8, seed=5)
    assert [again.image(slot) for slot in range(42, 84)] == epochs[1]
    assert [Order(50, 8, seed=6).image(slot) for slot in range(42)] != epochs[0]


def test_any_number_of_processes_has_the_same_images_in_a_step() -> None:
    def step_slots(world: int, micro_batch: int) -> list[set[int]]:
        ranks = [list(MicroBatches(2, 5, 8, micro_batch, rank, world)) for rank in range(world)]
        per_step = 8 // (micro_batch * world)
        return [
            {slot for batches in ranks for part in batches[step * per_step : (step + 1) * per_step] for slot in part}
            for step in range(3)
        ]

    expected = [set(range(step * 8, step * 8 + 8)) for step in (2, 3, 4)]
    assert step_slots(1, 8) == step_slots(1, 2) == step_slots(2, 4) == step_slots(4, 1) == expected


def test_worker_processes_give_the_same_batches_as_none(tmp_path: Path) -> None:
    table = find_images([str(tiny.save_images(tmp_path, 6))], refuse)
    samples = Samples(table, Order(6, 0, 1), PREPROCESSING, [8])
    slots = [[0, 1], [2, 3], [4, 5]]
    alone, helped = (list(load(samples, slots, workers)) for workers in (0, 2))
    assert all(torch.equal(a.views[8], b.views[8]) for a, b in zip(alone, helped, strict=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_images_of_which_none_can_be_read_end_with_one_line(tmp_path: Path, workers: int) -> None:
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(b"no image")
    samples = Samples(find_images([str(tmp_path)], refuse), Order(3, 0, 1), PREPROCESSING, [8])
    with pytest.raises(TrainingError) as caught:
        list(load(samples, [[0, 1]], workers))
    assert re.fullmatch(r"None of 3 images in a row can be read\. The last is \S+: no image in a .*", str(caught.value))
