"""KServe's Python server with every exported model."""

import asyncio
import os
import sys

import kserve
from kserve import InferOutput, InferResponse

from onnx_model import OnnxModel

NAMES = {"float16": "FP16", "float32": "FP32", "bool": "BOOL"}


class Model(kserve.Model):
    def __init__(self, name):
        super().__init__(name)
        self.model = OnnxModel(os.path.join(os.environ["EXPORTED"], name))
        self.ready = True

    def answer(self, payload):
        feeds = {tensor.name: tensor.as_numpy() for tensor in payload.inputs}
        wanted = [output.name for output in payload.request_outputs or []] or self.model.outputs
        outputs = []
        for name, value in zip(wanted, self.model.run(feeds, wanted)):
            output = InferOutput(name=name, shape=list(value.shape), datatype=NAMES[str(value.dtype)])
            output.set_data_from_numpy(value, binary_data=True)
            outputs.append(output)
        return InferResponse(response_id=payload.id or "", model_name=self.name, infer_outputs=outputs)

    async def predict(self, payload, headers=None, response_headers=None):
        return await asyncio.to_thread(self.answer, payload)


if __name__ == "__main__":
    kserve.ModelServer(
        http_port=int(os.environ["HTTP_PORT"]),
        grpc_port=int(os.environ["GRPC_PORT"]),
        workers=1,
    ).start([Model(name) for name in sys.argv[1:]])
