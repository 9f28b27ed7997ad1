"""Sends an image to a running service with KServe's own Python client, over HTTP and gRPC, and compares the tokens with those of
/v1/encode.

    python3 -m pip install kserve
    python3 examples/open-inference/kserve_client.py test/fixtures/images/rocket.jpg MODEL

SIGLIPHD_URL and SIGLIPHD_GRPC are the service's addresses, SIGLIPHD_API_KEY the key, if the service has keys. With an https:// URL both
use TLS; for a private CA set SSL_CERT_FILE to its certificate.
"""

import asyncio
import os
import sys
import urllib.request

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

URL = os.environ.get("SIGLIPHD_URL", "http://localhost:8080").rstrip("/")
GRPC = os.environ.get("SIGLIPHD_GRPC", "localhost:50051")
KEY = os.environ.get("SIGLIPHD_API_KEY")
TLS = URL.startswith("https://")
# Python's own TLS reads it; gRPC must be told.
CA_FILE = os.environ.get("SSL_CERT_FILE")
HEADERS = {"x-api-key": KEY} if KEY else {}
METADATA = tuple(HEADERS.items())


def tokens_of_encode(file: bytes, model: str) -> np.ndarray:
    """The float16 tokens that the service's own interface answers."""
    request = urllib.request.Request(f"{URL}/v1/encode?format=raw&model={model}", data=file, headers=HEADERS)
    with urllib.request.urlopen(request) as answer:
        return np.frombuffer(answer.read(), "<f2")


def request_for(model: str, name: str, datatype: str, value: np.ndarray, over_http: bool, **parameters) -> InferRequest:
    tensor = InferInput(name, list(value.shape), datatype)
    tensor.set_data_from_numpy(value)
    # Without it an answer over HTTP is JSON, which cannot hold FP16.
    if over_http:
        parameters["binary_data_output"] = True
    return InferRequest(model, [tensor], request_id="7", parameters=parameters)


async def try_client(name: str, infer, over_http: bool, model: str, file: bytes, side: int) -> None:
    """`infer` sends a request and gives its answer."""
    expected = tokens_of_encode(file, model)
    files = np.array([file], dtype=object)
    answer = await infer(request_for(model, "image", "BYTES", files, over_http))
    tokens = answer.outputs[0].as_numpy()
    assert answer.id == "7" and answer.model_name == model
    assert tokens.dtype == np.float16 and np.array_equal(tokens.ravel(), expected), "other tokens than /v1/encode's"

    pixels = np.random.default_rng(7).integers(0, 256, [4, side, side, 3], np.uint8)
    batch = (await infer(request_for(model, "pixels", "UINT8", pixels, over_http))).outputs[0].as_numpy()
    one = (await infer(request_for(model, "pixels", "UINT8", pixels[3:4], over_http))).outputs[0].as_numpy()
    assert batch.shape[0] == 4 and np.allclose(batch[3], one[0], atol=2e-3)

    wide = await infer(request_for(model, "image", "BYTES", files, over_http, dtype="float32"))
    wide_tokens = wide.outputs[0].as_numpy()
    assert wide_tokens.dtype == np.float32 and np.array_equal(wide_tokens.astype(np.float16).ravel(), expected)
    print(f"{name}: tokens {list(tokens.shape)} equal to those of /v1/encode, a batch of 4, and float32")


async def over_rest(model: str, file: bytes) -> None:
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        assert await client.is_server_live(URL)
        assert await client.is_server_ready(URL)
        assert await client.is_model_ready(URL, model, headers=HEADERS)
        # The client has no call for metadata.
        metadata = httpx.get(f"{URL}/v2/models/{model}", headers=HEADERS).raise_for_status().json()
        side = next(tensor["shape"][1] for tensor in metadata["inputs"] if tensor["name"] == "pixels")

        async def infer(request: InferRequest):
            return await client.infer(URL, request, model_name=request.model_name, headers=dict(HEADERS))

        await try_client("InferenceRESTClient", infer, True, model, file, side)
        try:
            await infer(request_for("no-such-model", "image", "BYTES", np.array([file], dtype=object), True))
        except httpx.HTTPStatusError as error:
            assert "no-such-model" in error.response.json()["error"], error
        else:
            raise AssertionError("a model that is not there answered")


def metadata_channel() -> grpc.aio.Channel:
    """A channel of gRPC's own, for the call that KServe's client lacks."""
    if not TLS:
        return grpc.aio.insecure_channel(GRPC)
    ca = None
    if CA_FILE is not None:
        with open(CA_FILE, "rb") as file:
            ca = file.read()
    return grpc.aio.secure_channel(GRPC, grpc.ssl_channel_credentials(ca))


async def over_grpc(model: str, file: bytes) -> None:
    async with InferenceGRPCClient(GRPC, use_ssl=TLS, root_certificates=CA_FILE) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(model, headers=METADATA)

        async def infer(request: InferRequest):
            return await client.infer(request, headers=METADATA)

        async with metadata_channel() as channel:
            request = messages.ModelMetadataRequest(name=model)
            metadata = await GRPCInferenceServiceStub(channel).ModelMetadata(request, metadata=METADATA)
        side = next(tensor.shape[1] for tensor in metadata.inputs if tensor.name == "pixels")
        await try_client("InferenceGRPCClient", infer, False, model, file, side)
        try:
            await infer(request_for("no-such-model", "image", "BYTES", np.array([file], dtype=object), False))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND and "no-such-model" in error.details(), error
        else:
            raise AssertionError("a model that is not there answered")


async def main(file: bytes, model: str) -> None:
    await over_rest(model, file)
    await over_grpc(model, file)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"Usage: {sys.argv[0]} IMAGE MODEL")
    try:
        with open(sys.argv[1], "rb") as image:
            image_file = image.read()
    except OSError as error:
        sys.exit(f"The image cannot be read: {error}")
    try:
        asyncio.run(main(image_file, sys.argv[2]))
    except (OSError, httpx.HTTPError, grpc.RpcError) as error:
        sys.exit(f"A call to the service failed (SIGLIPHD_URL is {URL}, SIGLIPHD_GRPC is {GRPC}): {error}")
