"""An MLServer runtime that runs one exported graph."""

import asyncio
import os

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from onnx_model import OnnxModel


class Model(MLModel):
    async def load(self):
        self.model = OnnxModel(os.path.join(os.environ["EXPORTED"], self.name))
        return True

    def answer(self, payload):
        feeds = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        wanted = [output.name for output in payload.outputs or []] or self.model.outputs
        values = self.model.run(feeds, wanted)
        outputs = [NumpyCodec.encode_output(name, value) for name, value in zip(wanted, values)]
        return InferenceResponse(model_name=self.name, outputs=outputs)

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        return await asyncio.to_thread(self.answer, payload)
