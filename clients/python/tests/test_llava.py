"""The remote tower against transformers' own, on the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from conftest import FIXTURES, ROCKET, Service
from siglip_hd_client import Client, FailedPreconditionError
from siglip_hd_client.call import Call, EncodeCall, Reply
from siglip_hd_client.connection import Connection
from siglip_hd_client.http_transport import HttpTransport

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pillow = pytest.importorskip("PIL.Image")

# ruff: noqa: E402
from siglip_hd_client.llava import RemoteVisionTower

# transformers warns of its own deprecations.
pytestmark = pytest.mark.filterwarnings("default")

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])


class Counting(HttpTransport):
    """Remembers the encodes that were sent."""

    def __init__(self, url: str) -> None:
        super().__init__(Connection(url))
        self.encodes: list[EncodeCall] = []

    def send(self, call: Call, timeout_s: float | None) -> Reply:
        if isinstance(call, EncodeCall):
            self.encodes.append(call)
        return super().send(call, timeout_s)


@pytest.fixture
def transport(service: Service) -> Counting:
    return Counting(service.http_url)


@pytest.fixture
def client(service: Service, transport: Counting) -> Iterator[Client]:
    with Client(service.http_url, transport=transport) as one:
        yield one


def local_tower(name: str) -> Any:
    """transformers' own tower with the weights of the fixture, whose names are those of version 5."""
    kind = {"siglip-tiny": "Siglip", "clip-tiny": "CLIP"}[name]
    config = getattr(transformers, f"{kind}VisionConfig").from_pretrained(FIXTURES / name)
    tower = getattr(transformers, f"{kind}VisionModel")(config).eval()
    prefix = "vision_model." if hasattr(tower, "vision_model") else ""
    weights = pytest.importorskip("safetensors.torch").load_file(FIXTURES / name / "model.safetensors")
    loaded = tower.load_state_dict({prefix + key: value for key, value in weights.items()}, strict=False)
    assert loaded.unexpected_keys == []
    return tower


def local_features(name: str, pixels: Any) -> Any:
    """What LLaVA's own tower gives: the penultimate layer, without the class token."""
    with torch.no_grad():
        hidden = local_tower(name)(pixels, output_hidden_states=True).hidden_states[-2]
    return hidden[:, 1:] if name == "clip-tiny" else hidden


def pictures(tower: RemoteVisionTower, count: int) -> Any:
    """Normalised pixels of random pictures."""
    side = tower.image_size
    images = list(np.random.default_rng(3).integers(0, 256, (count, side, side, 3), np.uint8))
    return tower.image_processor.preprocess(images, return_tensors="pt")["pixel_values"]


@pytest.mark.parametrize("name", ["siglip-tiny", "clip-tiny"])
def test_it_gives_the_features_of_the_local_tower(client: Client, name: str) -> None:
    tower = RemoteVisionTower(client, name)
    pixels = pictures(tower, 3)
    features = tower(pixels)
    assert features.shape == (3, tower.num_patches, tower.hidden_size)
    assert (features - local_features(name, pixels)).abs().max() < 1e-4


def test_a_batch_of_eight_pictures_is_one_round_trip(client: Client, transport: Counting) -> None:
    tower = RemoteVisionTower(client)
    features = tower(pictures(tower, 8))
    assert len(transport.encodes) == 1
    assert features.shape[0] == 8


def test_more_pictures_than_a_request_may_have_are_several(client: Client, transport: Counting) -> None:
    tower = RemoteVisionTower(client)
    pixels = pictures(tower, 18)
    features = tower(pixels)
    assert len(transport.encodes) == 2
    assert torch.equal(features[17], tower(pixels[17:])[0])


def test_a_list_of_pictures_is_answered_as_a_list(client: Client) -> None:
    tower = RemoteVisionTower(client)
    pixels = pictures(tower, 2)
    features = tower(list(pixels))
    assert [feature.shape for feature in features] == [(1, 1024, 32)] * 2
    assert torch.allclose(torch.cat(features), tower(pixels), atol=1e-4)
    assert tower([]) == []


@DTYPES
def test_features_have_the_dtype_of_the_pixels(client: Client, dtype: str) -> None:
    tower = RemoteVisionTower(client)
    pixels = pictures(tower, 1)
    features = tower(pixels.to(getattr(torch, dtype)))
    assert features.dtype == getattr(torch, dtype)
    tolerance = {"float32": 1e-4, "float16": 4e-3, "bfloat16": 4e-2}[dtype]
    assert (features.float() - tower(pixels)).abs().max() < tolerance


@pytest.mark.parametrize("name", ["siglip-tiny", "clip-tiny"])
@DTYPES
def test_the_service_is_sent_the_pixels_that_were_normalised(
    client: Client, transport: Counting, name: str, dtype: str
) -> None:
    tower = RemoteVisionTower(client, name)
    side = tower.image_size
    # Every level in every channel.
    image = np.resize(np.arange(256, dtype=np.uint8).repeat(3), (side, side, 3))
    tower(tower.image_processor.preprocess(image)["pixel_values"].to(getattr(torch, dtype)))
    sent = transport.encodes[-1].image.pixels  # type: ignore[union-attr]
    off = np.abs(sent.astype(int) - image).max()
    # One of CLIP's 768 values is a level off in bfloat16, which has 8 bits.
    assert off <= (1 if (name, dtype) == ("clip-tiny", "bfloat16") else 0)


@pytest.mark.parametrize("name", ["siglip-tiny", "clip-tiny"])
def test_its_image_processor_makes_what_transformers_makes(client: Client, name: str) -> None:
    own = RemoteVisionTower(client, name).image_processor
    kind = {"siglip-tiny": "SiglipImageProcessor", "clip-tiny": "CLIPImageProcessor"}[name]
    processor = getattr(transformers, f"{kind}Pil", getattr(transformers, kind)).from_pretrained(FIXTURES / name)
    for path in (ROCKET, FIXTURES / "images" / "page.png", FIXTURES / "images" / "tall.webp"):
        with pillow.open(path) as image:
            picture = image.convert("RGB")
        theirs = processor(picture, return_tensors="pt")["pixel_values"]
        ours = own.preprocess(picture, return_tensors="pt")["pixel_values"]
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() < 1e-6, path.name


def test_its_image_processor_refuses_a_resize_that_it_does_not_know(client: Client) -> None:
    processor = RemoteVisionTower(client).image_processor
    processor.resize = "fit-squash"
    with pytest.raises(
        ValueError, match="resizes by fit-squash: pass RemoteVisionTower the checkpoint's own processor"
    ):
        processor.preprocess(np.zeros((64, 64, 3), np.uint8))


def test_all_that_llava_touches_of_a_tower_is_there(client: Client) -> None:
    tower = RemoteVisionTower(client)
    assert tower.is_loaded
    tower.load_model(device_map="auto")
    assert (tower.hidden_size, tower.image_size, tower.num_patches_per_side, tower.num_patches) == (32, 512, 32, 1024)
    config = tower.config
    assert (config.hidden_size, config.image_size, config.patch_size, config.num_hidden_layers) == (32, 512, 16, 3)
    assert tower.dummy_feature.shape == (1, 32)
    assert tower.select_feature == "patch"
    assert tower.vision_tower_name == "siglip-tiny"
    processor = tower.image_processor
    assert (processor.size, processor.crop_size) == ((512, 512), {"height": 512, "width": 512})
    assert tuple(processor.image_mean) == (0.5, 0.5, 0.5)
    assert RemoteVisionTower(client, "clip-tiny").image_processor.size == {"shortest_edge": 336}


def test_what_training_does_to_a_tower_does_nothing_to_it(client: Client) -> None:
    tower = RemoteVisionTower(client)
    assert list(tower.parameters()) == []
    assert tower.state_dict() == {}
    assert tower.requires_grad_(False) is tower
    tower.requires_grad_(True).train().eval()
    pixels = pictures(tower, 1).requires_grad_()
    features = tower(pixels)
    assert not features.requires_grad


def test_it_follows_to_like_any_module(client: Client) -> None:
    model = torch.nn.Sequential(RemoteVisionTower(client))
    model.to(device="cpu", dtype=torch.bfloat16)
    assert model[0].dtype == torch.bfloat16
    assert model[0].device.type == "cpu"
    assert model[0].dummy_feature.dtype == torch.bfloat16
    assert model.half()[0].dtype == torch.float16


def test_pixels_of_another_size_are_refused(client: Client) -> None:
    with pytest.raises(ValueError, match=r"\[batch, 3, 512, 512\], not \[1, 3, 384, 384\]"):
        RemoteVisionTower(client)(torch.zeros(1, 3, 384, 384))


def test_a_model_that_is_not_served_is_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="serves siglip-tiny, clip-tiny"):
        RemoteVisionTower(client, "missing")


def llava(name: str) -> Any:
    """A LLaVA with one of the tiny towers, its weights included, and a small random language model."""
    text = transformers.LlamaConfig(
        vocab_size=100,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
    )
    tower = local_tower(name)
    config = transformers.LlavaConfig(
        vision_config=tower.config,
        text_config=text,
        image_token_index=99,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default" if name == "clip-tiny" else "full",
    )
    torch.manual_seed(5)
    model = transformers.LlavaForConditionalGeneration(config).eval()
    model.model.vision_tower = tower
    return model


@pytest.mark.parametrize("name", ["siglip-tiny", "clip-tiny"])
def test_transformers_llava_generates_the_same_tokens_with_it(client: Client, name: str) -> None:
    tower = RemoteVisionTower(client, name)
    pixels = pictures(tower, 1)
    input_ids = torch.tensor([[1, 2, *[99] * tower.num_patches, 3, 4]])
    model = llava(name)

    def generate(pictures: Any) -> list[int]:
        output = model.generate(
            input_ids=input_ids,
            attention_mask=torch.ones_like(input_ids),
            pixel_values=pictures,
            max_new_tokens=8,
            min_new_tokens=8,
            do_sample=False,
            pad_token_id=0,
        )
        tokens: list[int] = output[0, input_ids.shape[1] :].tolist()
        return tokens

    def logits(pictures: Any) -> Any:
        with torch.no_grad():
            return model(input_ids=input_ids, pixel_values=pictures).logits[0, -1]

    tokens, last = generate(pixels), logits(pixels)
    model.model.vision_tower = tower
    assert generate(pixels) == tokens
    close = (logits(pixels) - last).abs().max()
    assert close < 1e-4
    # Another picture makes a difference, so that the above says something.
    assert (logits(torch.zeros_like(pixels)) - last).abs().max() > 20 * close


def test_transformers_is_refused_a_layer_that_is_not_served(client: Client) -> None:
    tower = RemoteVisionTower(client)
    output = tower(pixel_values=pictures(tower, 1), output_hidden_states=True)
    assert torch.equal(output.hidden_states[-2], output.last_hidden_state)
    assert torch.equal(output.hidden_states[2], output.last_hidden_state)
    with pytest.raises(FailedPreconditionError, match=r"hidden state -1.*serves penultimate.*vision_feature_layer=-1"):
        _ = output.hidden_states[-1]
    named = RemoteVisionTower(client, vision_feature_layer=-1)
    assert named(pixel_values=pictures(tower, 1), output_hidden_states=True).hidden_states[-1].shape == (1, 1024, 32)


def test_a_class_token_that_is_used_is_noticed(client: Client) -> None:
    tower = RemoteVisionTower(client, "clip-tiny")
    hidden = tower(pictures(tower, 1), output_hidden_states=True).hidden_states[-2]
    assert torch.isnan(hidden[:, 0]).all()
    assert torch.isfinite(hidden[:, 1:]).all()


def test_over_grpc_it_gives_the_same(service: Service, client: Client) -> None:
    pytest.importorskip("grpc")
    with Client(service.grpc_url) as grpc:
        remote, other = RemoteVisionTower(grpc), RemoteVisionTower(client)
        pixels = pictures(remote, 3)
        assert torch.allclose(remote(pixels), other(pixels), atol=1e-4)
