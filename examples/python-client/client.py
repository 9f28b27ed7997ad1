"""Encodes one image over gRPC and prints the tokens' shape, the model and the timings.

    python3 client.py photo.jpg [localhost:50051]

README.md beside this folder says how to make siglip_hd/v1/encoder_pb2.py first.
"""

import sys

import grpc
import numpy

from siglip_hd.v1 import encoder_pb2, encoder_pb2_grpc

# numpy has no bfloat16: such tokens are the upper halves of float32 values.
NUMPY_TYPES = {encoder_pb2.DTYPE_FLOAT16: "<f2", encoder_pb2.DTYPE_FLOAT32: "<f4"}


def main() -> int:
    if len(sys.argv) not in (2, 3):
        print("usage: client.py IMAGE [HOST:PORT]", file=sys.stderr)
        return 2
    address = sys.argv[2] if len(sys.argv) == 3 else "localhost:50051"
    with open(sys.argv[1], "rb") as file:
        image = encoder_pb2.Image(file=file.read())
    request = encoder_pb2.EncodeRequest(
        image=image,
        options=encoder_pb2.RequestOptions(dtype=encoder_pb2.DTYPE_FLOAT16),
    )

    # Tokens can pass the 4 MiB that a client accepts by default.
    limits = [("grpc.max_receive_message_length", 64 * 2**20)]
    with grpc.insecure_channel(address, options=limits) as channel:
        service = encoder_pb2_grpc.VisualEncoderServiceStub(channel)
        try:
            response = service.Encode(request, timeout=60)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}", file=sys.stderr)
            return 1

    tensor = response.tensor
    tokens = numpy.frombuffer(tensor.data, NUMPY_TYPES[tensor.dtype]).reshape(tensor.shape)
    model, timings = response.metadata.model, response.timings
    print(f"shape {tokens.shape}, {tokens.dtype}")
    print(f"model {model.name}, trained: {model.trained}")
    print(
        f"decode {timings.decode_ms:g} ms, views {timings.views_ms:g} ms, "
        f"queue {timings.queue_ms:g} ms, engine {timings.engine_ms:g} ms"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
