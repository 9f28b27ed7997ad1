"""Times Pillow's resize for bench/resample/resample.ts.

Reads one JSON line with cases [{"width", "height", "size", "filter"}], whose pixels are noise, and writes a ready
line. Then every line on stdin holds the index of a case to resize once, answered with a line: the milliseconds.
"""

import json
import os
import sys
import time

import PIL
from PIL import Image

filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
cases = json.loads(sys.stdin.readline())
images = {}
for case in cases:
    size = (case["width"], case["height"])
    if size not in images:
        images[size] = Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3))
print(json.dumps({"pillow": PIL.__version__}), flush=True)
for line in sys.stdin:
    case = cases[int(line)]
    image = images[(case["width"], case["height"])]
    start = time.perf_counter()
    image.resize((case["size"], case["size"]), filters[case["filter"]])
    print((time.perf_counter() - start) * 1000, flush=True)
