"""An MLServer runtime that runs one exported graph."""

import asyncio
import os

import numpy
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput, Parameters

from onnx_model import OnnxModel

DTYPES = {"UINT8": numpy.uint8, "FP32": numpy.float32, "FP16": numpy.float16}
NAMES = {"float16": "FP16", "float32": "FP32", "bool": "BOOL"}


class Model(MLModel):
    async def load(self):
        self.model = OnnxModel(os.path.join(os.environ["EXPORTED"], self.name))
        return True

    def answer(self, payload):
        feeds = {}
        for tensor in payload.inputs:
            data = tensor.data.root if hasattr(tensor.data, "root") else tensor.data
            if isinstance(data, list):
                data = data[0]
            feeds[tensor.name] = numpy.frombuffer(data, DTYPES[tensor.datatype]).reshape(tensor.shape)
        wanted = [output.name for output in payload.outputs or []] or self.model.outputs
        outputs = [
            ResponseOutput(
                name=name,
                datatype=NAMES[str(value.dtype)],
                shape=list(value.shape),
                parameters=Parameters(content_type="np"),
                data=[value.tobytes()],
            )
            for name, value in zip(wanted, self.model.run(feeds, wanted))
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        return await asyncio.to_thread(self.answer, payload)
