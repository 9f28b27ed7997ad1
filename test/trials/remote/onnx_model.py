"""Runs the graph of one exported model with ONNX Runtime, as Triton's own backend does."""

import os
import pathlib
import re

import onnxruntime


class OnnxModel:
    """A model of a repository that `siglip-hd export-triton` wrote."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.config = (folder / "config.pbtxt").read_text()
        graph = re.search(r'default_model_filename: "([^"]+)"', self.config).group(1)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("ENGINE_THREADS", "1"))
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(
            str(folder / "1" / graph), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = [port.name for port in self.session.get_inputs()]
        self.outputs = [port.name for port in self.session.get_outputs()]

    def run(self, feeds, wanted):
        return self.session.run(wanted, {name: feeds[name] for name in self.inputs})
