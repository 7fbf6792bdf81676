"""Runs an ONNX model of foldin with Python's onnxruntime: JSON in, JSON out, a second reader beside onnxruntime-web."""
import json
import sys

import numpy as np
import onnxruntime as ort

asked = json.load(sys.stdin)
session = ort.InferenceSession(asked["model"], providers=["CPUExecutionProvider"])
history = np.array(asked["history"], dtype=np.int32)
items, scores = session.run(["items", "scores"], {"history": history, "k": np.array([asked["k"]], dtype=np.int32)})
metadata = session.get_modelmeta().custom_metadata_map
json.dump({"items": items.tolist(), "metadata": metadata}, sys.stdout)
