"""Checks that transformers generates the same from the service's embeddings as from pixels.

    python generate.py [PICTURE...]

It makes a tiny model of each of six families, imports them and starts the service. Each model generates from pixels,
loses its tower and projector, and generates from embeddings. The script exits with 1 if the tokens differ.
`generate_from_rows` is what you would copy.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from siglip_hd_client import Client, ConnectionFailedError, Tokens, UnavailableError
from siglip_hd_client.transformers import encoder_outputs, image_token_types
from tiny_models import IMAGE_TOKEN, Family, families, save

ROOT = Path(__file__).resolve().parent.parent.parent
SIGLIP_HD = ["node", str(ROOT / "bin/siglip-hd.cjs")]
PICTURES = [ROOT / "test/fixtures/images" / name for name in ("rocket.jpg", "coffee.png", "page.png")]
PORT = 8470
GREEDY = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False}


def rows_of(client: Client, name: str, family: Family, picture: Path) -> Tokens:
    encode = client.anyres_encode if family.route == "anyres" else client.encode
    return encode(picture, model=name, output="embeddings")


def generate_from_rows(model: Any, tokens: Tokens) -> list[int]:
    """The tokens that the model generates for an image. Its tower and projector may be None."""
    family = model.config.model_type
    inputs = prompt(family, tokens.shape[0])
    outputs = model.generate(**inputs, mm_encoder_outputs=encoder_outputs(tokens, family), **GREEDY)
    return outputs[0, inputs["input_ids"].shape[1] :].tolist()


def generate_from_pixels(model: Any, family: Family, picture: Path, rows: int) -> list[int]:
    with Image.open(picture) as image:
        pixels = family.processor(images=[image.convert("RGB")], return_tensors="pt", **family.pixels)
    pixels.pop("num_crops", None)
    inputs = prompt(model.config.model_type, rows)
    outputs = model.generate(**inputs, **pixels, **GREEDY)
    return outputs[0, inputs["input_ids"].shape[1] :].tolist()


def prompt(family: str, rows: int) -> dict[str, torch.Tensor]:
    """Any words around one image token for each row. With a tokenizer, use `expand_image_tokens`."""
    input_ids = torch.tensor([[1, 40, 30, *[IMAGE_TOKEN] * rows, 20, 10]])
    inputs = {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}
    if family == "gemma3":
        inputs["token_type_ids"] = image_token_types(input_ids, IMAGE_TOKEN)
    return inputs


def without_tower(model: Any) -> None:
    for part in ("vision_tower", "multi_modal_projector", "vision_model", "connector"):
        if hasattr(model.model, part):
            setattr(model.model, part, None)


def compare(name: str, family: Family, checkpoint: Path, client: Client, pictures: list[Path]) -> bool:
    model = family.model.from_pretrained(checkpoint, dtype=torch.float32).eval()
    rows = [rows_of(client, name, family, picture) for picture in pictures]
    wanted = [
        generate_from_pixels(model, family, picture, tokens.shape[0])
        for picture, tokens in zip(pictures, rows, strict=True)
    ]
    without_tower(model)
    found = [generate_from_rows(model, tokens) for tokens in rows]
    for picture, tokens, answer, other in zip(pictures, rows, found, wanted, strict=True):
        verdict = "same" if answer == other else f"DIFFERS from {other}"
        print(f"{name:<16} {picture.name:<11} rows {list(tokens.shape)!s:<10} {answer} {verdict}")
    # Equal answers prove nothing if the model answers every picture alike.
    varied = len({tuple(answer) for answer in wanted}) == len(wanted)
    if not varied:
        print(f"{name:<16} answers different pictures alike")
    return found == wanted and varied


@contextlib.contextmanager
def service(folders: list[Path]) -> Iterator[Client]:
    flags = [flag for folder in folders for flag in ("--model", str(folder))]
    ports = ["--host", "127.0.0.1", "--http-port", str(PORT), "--grpc-port", "0"]
    process = subprocess.Popen([*SIGLIP_HD, "serve", *ports, *flags], stdout=subprocess.DEVNULL)
    try:
        with Client(f"http://127.0.0.1:{PORT}", max_retries=0) as client:
            deadline = time.monotonic() + 120
            while not is_ready(client):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("The service did not start; see its log above.")
                time.sleep(0.2)
            yield client
    finally:
        process.terminate()
        process.wait()


def is_ready(client: Client) -> bool:
    try:
        return len(client.models()) > 0
    except (ConnectionFailedError, UnavailableError):
        return False


def main() -> None:
    pictures = [Path(name) for name in sys.argv[1:]] or PICTURES
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        known = families()
        for name, family in known.items():
            save(family, folder / "checkpoints" / name)
            importing = [*SIGLIP_HD, "import", folder / "checkpoints" / name, "--out", folder / name]
            subprocess.run(importing, check=True, stdout=subprocess.DEVNULL)
        with service([folder / name for name in known]) as client:
            same = [
                compare(name, family, folder / "checkpoints" / name, client, pictures) for name, family in known.items()
            ]
    print("All answers are the same." if all(same) else "Answers differ.")
    sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    main()
