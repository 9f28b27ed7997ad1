"""Encodes images and prints each one's shape, model and timings.

    python3 -m pip install ../../clients/python
    python3 client.py photo.jpg another.png

SIGLIPHD_URL is the service's URL, such as grpc://localhost:50051; the default is http://localhost:8080. SIGLIPHD_API_KEY is the key, if
the service has keys. For a private CA set SSL_CERT_FILE (https://) or GRPC_DEFAULT_SSL_ROOTS_FILE_PATH (grpcs://) to its certificate.
"""

import sys

from siglip_hd_client import Client

if len(sys.argv) < 2:
    sys.exit("usage: client.py IMAGE...")

failed = False
with Client() as client:
    for item in client.encode_many(sys.argv[1:]):
        if item.error is not None:
            failed = True
            print(f"{item.image}: {item.error}", file=sys.stderr)
            continue
        tokens, timings = item.tokens, item.tokens.timings
        print(f"{item.image}: shape {tokens.numpy().shape}, {tokens.dtype}, from {tokens.metadata.model.name}")
        print(f"  queue {timings.queue_ms:g} ms, engine {timings.engine_ms:g} ms; {tokens.source}")
sys.exit(failed)
