"""Triton's Python backend in place of its onnxruntime backend, which is in no wheel: one exported graph each."""

import os
import sys

import triton_python_backend_utils as pb_utils

sys.path.insert(0, os.environ["TRIAL_FOLDER"])
from onnx_model import OnnxModel  # noqa: E402


class TritonPythonModel:
    def initialize(self, args):
        self.model = OnnxModel(os.path.join(os.environ["EXPORTED"], args["model_name"]))

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        feeds = {t.name(): t.as_numpy() for t in request.inputs()}
        wanted = list(request.requested_output_names())
        values = self.model.run(feeds, wanted)
        tensors = [pb_utils.Tensor(name, value) for name, value in zip(wanted, values)]
        return pb_utils.InferenceResponse(output_tensors=tensors)
