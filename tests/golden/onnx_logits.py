"""Runs the graphs that the test `golden_onnx` wrote through onnxruntime; writes onnx.json beside itself.

    cargo test -p taper-tests --test golden_onnx     # fails where graphs have changed, but writes them
    python onnx_logits.py FOLDER                     # the folder that its message names

Each graph is held against onnx.checker (with shape inference) first. README.md documents the keys.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

HERE = Path(__file__).parent
PADDING = 7  # any word: what lies past a length must not be read
PADDED = 1  # Taper's padding, which a graph without lengths reads


def run(path, sequences):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        path.read_bytes(), providers=["CPUExecutionProvider"]
    )
    names = [put.name for put in session.get_inputs()]
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    padding = PADDING if "lengths" in names else PADDED
    ids = np.full((len(sequences), lengths.max()), padding, np.int64)
    for row, sequence in zip(ids, sequences):
        row[: len(sequence)] = sequence
    feed = {"ids": ids, "lengths": lengths}
    logits, probabilities = session.run(None, {name: feed[name] for name in names})
    return {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "logits": logits.tolist(),
        "probabilities": probabilities.tolist(),
    }


def main():
    folder = Path(sys.argv[1])
    sequences = json.loads((HERE / "tutorial_model.json").read_text())["sequences"]
    cases = {path.stem: run(path, sequences) for path in sorted(folder.glob("*.onnx"))}
    golden = {
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "cases": cases,
    }
    path = HERE / "onnx.json"
    path.write_text(json.dumps(golden) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, {len(cases)} graphs")


if __name__ == "__main__":
    main()
