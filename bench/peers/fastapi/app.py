"""What one would write in an afternoon instead of the service: FastAPI, Pillow, ONNX Runtime.

MODEL=folder THREADS=1 uvicorn app:app

The event loop reads the body; the rest runs on FastAPI's thread pool (40 threads), where Pillow and ONNX Runtime let
go of the interpreter's lock. Requests are not batched, and each runs the session on its own.
"""

import io
import json
import os
from pathlib import Path

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from PIL import Image, ImageOps, UnidentifiedImageError

folder = Path(os.environ["MODEL"])
manifest = json.loads((folder / "model.json").read_text())
side = manifest["imageSize"]
resample = Image.Resampling[manifest["resample"].upper()]

options = ort.SessionOptions()
options.intra_op_num_threads = int(os.environ.get("THREADS", "1"))
session = ort.InferenceSession(folder / "encoder.onnx", options, providers=["CPUExecutionProvider"])

app = FastAPI()


def encode(body: bytes) -> bytes:
    try:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(body))).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise HTTPException(400, "not an image") from error
    pixels = np.asarray(image.resize((side, side), resample))[np.newaxis]
    (tokens,) = session.run(["tokens_float16"], {"pixels": pixels})
    file = io.BytesIO()
    np.save(file, tokens[0])
    return file.getvalue()


@app.post("/encode")
async def post_encode(request: Request) -> Response:
    tokens = await run_in_threadpool(encode, await request.body())
    return Response(tokens, media_type="application/x-npy")


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}
