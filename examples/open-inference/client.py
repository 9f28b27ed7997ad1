"""Sends an image to a running service with NVIDIA's tritonclient, in each of its four ways, and compares the tokens with those
of /v1/encode.

    python3 -m pip install 'tritonclient[all]'
    python3 examples/open-inference/client.py test/fixtures/images/rocket.jpg [MODEL]

SIGLIPHD_URL and SIGLIPHD_GRPC are the service's addresses, SIGLIPHD_API_KEY the key, if the service has keys. With an https:// URL both
use TLS; for a private CA set SSL_CERT_FILE to its certificate.
"""

import asyncio
import os
import ssl
import sys
import urllib.request

import gevent.ssl
import numpy as np
import tritonclient.grpc as grpc_client
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http_client
import tritonclient.http.aio as http_aio
from tritonclient.utils import InferenceServerException

URL = os.environ.get("SIGLIPHD_URL", "http://localhost:8080").rstrip("/")
SCHEME, _, HTTP = URL.partition("://")
TLS = SCHEME == "https"
GRPC = os.environ.get("SIGLIPHD_GRPC", "localhost:50051")
KEY = os.environ.get("SIGLIPHD_API_KEY")
# Python's own TLS reads it; gRPC must be told.
CA_FILE = os.environ.get("SSL_CERT_FILE")


def headers() -> dict[str, str]:
    """Made for each call, because tritonclient.http adds its own to the dictionary that it is given."""
    return {"x-api-key": KEY} if KEY else {}


def tokens_of_encode(file: bytes, model: str) -> np.ndarray:
    """The float16 tokens that the service's own interface answers."""
    request = urllib.request.Request(
        f"{URL}/v1/encode?format=raw&model={model}", data=file, headers=headers()
    )
    with urllib.request.urlopen(request) as answer:
        return np.frombuffer(answer.read(), "<f2")


def file_input(module, *files: bytes):
    tensor = module.InferInput("image", [len(files)], "BYTES")
    tensor.set_data_from_numpy(np.array(files, dtype=object))
    return tensor


def pixel_input(module, pixels: np.ndarray):
    tensor = module.InferInput("pixels", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels)
    return tensor


async def value_of(result):
    """The result of a call: the two modules with .aio give a coroutine, the others the value."""
    return await result if asyncio.iscoroutine(result) else result


async def describe(client, model: str) -> int:
    """Asks what every example of tritonclient asks first; gives the side of the model's views."""
    assert await value_of(client.is_server_live(headers=headers()))
    assert await value_of(client.is_server_ready(headers=headers()))
    assert await value_of(client.is_model_ready(model, headers=headers()))
    as_json = {"as_json": True} if "grpc" in type(client).__module__ else {}
    server = await value_of(client.get_server_metadata(headers=headers(), **as_json))
    assert server["name"] == "siglip-hd" and "binary_tensor_data" in server["extensions"], server
    metadata = await value_of(client.get_model_metadata(model, headers=headers(), **as_json))
    config = await value_of(client.get_model_config(model, headers=headers(), **as_json))
    config = config.get("config", config)
    statistics = await value_of(client.get_inference_statistics(model, headers=headers(), **as_json))
    assert statistics["model_stats"][0]["name"] == model, statistics
    index = await value_of(client.get_model_repository_index(headers=headers(), **as_json))
    assert model in str(index), index
    assert config["max_batch_size"] >= 8, config
    pixels = next(tensor for tensor in metadata["inputs"] if tensor["name"] == "pixels")
    return int(pixels["shape"][1])


async def refusals(module, client, model: str, file: bytes) -> None:
    """What is wrong is an InferenceServerException with a sentence, in every way."""
    image = file_input(module, file)
    wrong_type = module.InferInput("pixels", [1, 2, 2, 3], "FP32")
    wrong_type.set_data_from_numpy(np.zeros([1, 2, 2, 3], np.float32))
    for inputs, named, outputs, says in [
        ([image], "no-such-model", None, "no-such-model"),
        ([wrong_type], model, None, "must be UINT8"),
        ([image], model, [module.InferRequestedOutput("logits")], "logits"),
    ]:
        try:
            await value_of(client.infer(named, inputs, outputs=outputs, headers=headers()))
        except InferenceServerException as error:
            assert says in error.message(), error
        else:
            raise AssertionError(f"{named} answered {says}")


async def try_client(name: str, module, client, model: str, file: bytes) -> None:
    side = await describe(client, model)
    expected = tokens_of_encode(file, model)
    result = await value_of(
        client.infer(model, [file_input(module, file)], request_id="7", headers=headers())
    )
    tokens = result.as_numpy("tokens")
    assert tokens.dtype == np.float16 and np.array_equal(tokens.ravel(), expected), "other tokens than /v1/encode's"
    response = result.get_response()
    assert (response["id"] if isinstance(response, dict) else response.id) == "7"

    pixels = np.random.default_rng(7).integers(0, 256, [8, side, side, 3], np.uint8)
    outputs = [module.InferRequestedOutput("tokens")]
    batch = (
        await value_of(client.infer(model, [pixel_input(module, pixels)], outputs=outputs, headers=headers()))
    ).as_numpy("tokens")
    one = (await value_of(client.infer(model, [pixel_input(module, pixels[3:4])], headers=headers()))).as_numpy("tokens")
    assert batch.shape[0] == 8 and np.allclose(batch[3], one[0], atol=2e-3)

    wide = await value_of(
        client.infer(
            model,
            [file_input(module, file, file)],
            parameters={"dtype": "float32"},
            priority=2,
            timeout=60_000_000,
            headers=headers(),
        )
    )
    wide_tokens = wide.as_numpy("tokens")
    assert wide_tokens.dtype == np.float32 and np.array_equal(wide_tokens[0].astype(np.float16).ravel(), expected)
    await refusals(module, client, model, file)
    print(f"{name}: tokens {list(tokens.shape)} equal to those of /v1/encode, a batch of 8, float32, and refusals")


def only_over_http(client: http_client.InferenceServerClient, model: str, file: bytes) -> None:
    """JSON in place of binary data, which gRPC does not have, and gzip."""
    tensor = http_client.InferInput("pixels", [1, 8, 8, 3], "UINT8")
    tensor.set_data_from_numpy(np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3), binary_data=False)
    json_output = [http_client.InferRequestedOutput("tokens", binary_data=False)]
    try:
        client.infer(model, [tensor], outputs=json_output, headers=headers())
    except InferenceServerException as error:
        assert "FP16" in error.message(), error
    else:
        raise AssertionError("FP16 was answered as JSON")
    wide = {"parameters": {"dtype": "float32"}}
    as_json = client.infer(model, [tensor], outputs=json_output, **wide, headers=headers()).as_numpy("tokens")
    binary = client.infer(model, [tensor], **wide, headers=headers()).as_numpy("tokens")
    assert np.array_equal(as_json, binary)
    zipped = client.infer(model, [file_input(http_client, file)], request_compression_algorithm="gzip", headers=headers())
    assert np.array_equal(zipped.as_numpy("tokens").ravel(), tokens_of_encode(file, model))
    print("tritonclient.http: JSON both ways, FP16 refused as JSON, gzip")


async def main(file: bytes) -> None:
    with http_client.InferenceServerClient(
        HTTP, ssl=TLS, ssl_context_factory=gevent.ssl.create_default_context
    ) as client:
        model = sys.argv[2] if len(sys.argv) > 2 else client.get_model_repository_index(headers=headers())[0]["name"]
        await try_client("tritonclient.http", http_client, client, model, file)
        only_over_http(client, model, file)
    async with http_aio.InferenceServerClient(
        HTTP, ssl=TLS, ssl_context=ssl.create_default_context()
    ) as client:
        await try_client("tritonclient.http.aio", http_aio, client, model, file)
    with grpc_client.InferenceServerClient(GRPC, ssl=TLS, root_certificates=CA_FILE) as client:
        await try_client("tritonclient.grpc", grpc_client, client, model, file)
    async with grpc_aio.InferenceServerClient(GRPC, ssl=TLS, root_certificates=CA_FILE) as client:
        await try_client("tritonclient.grpc.aio", grpc_aio, client, model, file)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(f"Usage: {sys.argv[0]} IMAGE [MODEL]")
    try:
        with open(sys.argv[1], "rb") as image:
            image_file = image.read()
    except OSError as error:
        sys.exit(f"The image cannot be read: {error}")
    try:
        asyncio.run(main(image_file))
    except (OSError, InferenceServerException) as error:
        sys.exit(f"A call to the service failed (SIGLIPHD_URL is {URL}, SIGLIPHD_GRPC is {GRPC}): {error}")
