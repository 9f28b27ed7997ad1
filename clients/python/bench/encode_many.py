"""Measures `encode_many` on a running service: images a second, and the client's memory.

    python bench/encode_many.py http://localhost:8080 photo.jpg --images 200 --concurrency 8

The service's own closed loop, to compare with:

    siglip-hd bench load --target http://localhost:8080 --clients 8 --image photo.jpg
"""

from __future__ import annotations

import argparse
import itertools
import resource
import time
from pathlib import Path

from siglip_hd_client import Client


def peak_mib() -> float:
    """The peak of this process's resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Encodes one image many times, past the service's cache."""
    parser = argparse.ArgumentParser(description="Measures encode_many on a running service.")
    parser.add_argument("url", help="http:// or grpc:// URL of the service")
    parser.add_argument("image", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--concurrency", type=int, default=8)
    arguments = parser.parse_args()

    image, total = arguments.image.read_bytes(), arguments.images
    failed, early_mib = 0, 0.0
    with Client(arguments.url, no_store=True) as client:
        client.encode(image)
        started = time.perf_counter()
        for item in client.encode_many(itertools.repeat(image, total), concurrency=arguments.concurrency):
            failed += item.error is not None
            if item.index == total // 10:
                early_mib = peak_mib()
        seconds = time.perf_counter() - started
    print(f"{total} images in {seconds:.2f} s: {total / seconds:.1f} images/s, {failed} failed")
    print(f"peak memory: {early_mib:.0f} MiB after {total // 10} images, {peak_mib():.0f} MiB after {total}")


if __name__ == "__main__":
    main()
