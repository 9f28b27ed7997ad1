from __future__ import annotations

import shutil
import subprocess
from importlib.resources import files

import pytest

from conftest import REPOSITORY
from scripted import reply
from siglip_hd_client import InvalidArgumentError
from siglip_hd_client.options import WIRE_OPTIONS

pytest.importorskip("grpc")

from siglip_hd_client.call import EncodeCall, PlanCall, Terms
from siglip_hd_client.grpc_messages import SERVICE, fields_of, message_class, method_classes
from siglip_hd_client.grpc_wire import grpc_request
from siglip_hd_client.images import FileImage
from siglip_hd_client.metadata import Recipe, Size

TERMS = Terms("r1")
DIGEST = "sha256:" + "0" * 64
VALUES: dict[str, object] = {
    "model": "hd",
    "dtype": "bfloat16",
    "exif": "ignore",
    "expect_digest": DIGEST,
    "expect_features": "penultimate",
    "features": ("penultimate", "-3"),
    "class_token": True,
    "scales": (512, 1024),
    "weights": (1.0, 2.5),
    "fusion": "unshuffle_concat",
    "windows": "half_overlap",
    "channel_order": "internvl",
    "grid": (37, 36),
    "max_grid": (2, 3),
    "max_tiles": 0,
    "assembly": "tiles",
    "resample": "bilinear",
}


def test_the_shipped_contract_is_the_one_in_proto() -> None:
    buf = REPOSITORY / "node_modules" / ".bin" / "buf"
    if not buf.exists() or shutil.which("node") is None:
        pytest.skip("buf is not installed (npm ci)")
    own = ["--path", "proto/siglip_hd", "--as-file-descriptor-set", "--exclude-source-info"]
    build = [str(buf), "build", "proto", *own, "-o", "-#format=binpb"]
    built = subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True).stdout
    shipped = files("siglip_hd_client").joinpath("encoder.binpb").read_bytes()
    assert shipped == built, "run scripts/update-contract.sh in clients/python"


@pytest.mark.parametrize("recipe", ["encode", "teacher", "anyres"])
def test_every_option_of_the_contract_is_written_into_its_field(recipe: Recipe) -> None:
    options = {name: VALUES[name] for name in WIRE_OPTIONS[recipe] if name in VALUES}
    written = fields_of(grpc_request(EncodeCall(recipe, FileImage(b"image"), options, TERMS)).message)
    assert written["image"] == {"file": b"image"}
    found = {**written["options"], **written.get(recipe, {})}
    for pair in ("grid", "max_grid"):
        if pair in found:
            found[pair] = tuple(found[pair].values())
    found = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    assert {name: found[name] for name in options} == options


def test_a_plan_says_its_recipe_even_without_options() -> None:
    request = grpc_request(PlanCall("anyres", Size(640, 480), {}, TERMS))
    assert fields_of(request.message)["anyres"] is not None
    assert request.path == f"/{SERVICE}/Plan"


def test_an_option_or_a_value_that_the_contract_does_not_have_is_an_invalid_argument() -> None:
    for options, why in (
        ({"dtype": "float64"}, "use one of float16, float32, bfloat16"),
        ({"exif": "unspecified"}, "use one of apply, ignore"),
    ):
        with pytest.raises(InvalidArgumentError, match=why):
            grpc_request(EncodeCall("encode", FileImage(b"image"), options, TERMS))


def test_a_message_is_read_as_the_json_of_http_is() -> None:
    _, response = method_classes("AnyResEncode")
    message = response()
    geometry = {
        "tile_grid": {"columns": 2, "rows": 1},
        "base_tokens": 4,
        "unpad": {"x": 0, "y": 1, "width": 4, "height": 2},
        "spatial": {"width": 4, "height": 2},
        "resized": False,
        "newlines": 2,
    }
    from google.protobuf.json_format import ParseDict

    ParseDict(
        {
            "metadata": {"anyres": geometry, "features": "FEATURE_LAYER_PRE_NORM", "recipe": "RECIPE_ANYRES"},
            "source": 1,
        },
        message,
    )
    fields = fields_of(message)
    assert fields["metadata"]["anyres"] == geometry
    assert fields["metadata"]["features"] == "pre_norm"
    assert fields["metadata"]["recipe"] == "anyres"
    assert fields["source"] == "hit"
    assert "teacher" not in fields["metadata"]


def test_a_value_that_is_newer_than_the_client_is_read_as_its_number() -> None:
    metadata = message_class("siglip_hd.v1.Metadata").FromString(b"\x10\x63")
    assert fields_of(metadata)["features"] == "99"


def test_the_fields_that_both_transports_give_are_the_same() -> None:
    metadata = message_class("siglip_hd.v1.Metadata").DESCRIPTOR.fields_by_name
    assert set(reply().fields) <= set(metadata)
