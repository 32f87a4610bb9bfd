"""TensorBoard's side of `taper-train`'s event files.

    python event_files.py golden            writes event_files.hex: an event file by TensorBoard's own writer
    python event_files.py check RUN         reads RUN/tensorboard by TensorBoard's own reader and holds every scalar
                                            against RUN/metrics.jsonl

Needs tensorboard (2.21 wrote the file).
"""

import json
import pathlib
import struct
import sys
import tempfile

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

HERE = pathlib.Path(__file__).parent


def golden():
    """One step, after the record that names the version."""
    scalars = [("loss", 0.5), ("accuracy", 0.0), ("gradient_norm", 2.0), ("learning_rate", 1e-3),
               ("tokens_per_second", 400.0)]
    values = [Summary.Value(tag=f"step/{name}", simple_value=value) for name, value in scalars]
    events = [Event(file_version="brain.Event:2"),
              Event(wall_time=0.25, step=3, summary=Summary(value=values))]
    with tempfile.NamedTemporaryFile() as file:
        with open(file.name, "wb") as sink:
            writer = RecordWriter(sink)
            for event in events:
                writer.write(event.SerializeToString(deterministic=True))
            writer.flush()
        (HERE / "event_files.hex").write_text(pathlib.Path(file.name).read_bytes().hex() + "\n")


def check(run):
    run = pathlib.Path(run)
    reader = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    reader.Reload()
    found = {tag: [(event.step, event.value) for event in reader.Scalars(tag)]
             for tag in reader.Tags()["scalars"]}
    wanted = {}

    def add(tag, step, value):
        wanted.setdefault(tag, []).append((step, struct.unpack("f", struct.pack("f", value))[0]))

    for line in (run / "metrics.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "step":
            for name in ["loss", "accuracy", "gradient_norm", "learning_rate"]:
                add(f"step/{name}", event["step"], event[name])
            add("step/tokens_per_second", event["step"], event["tokens"] / event["seconds"])
        elif event["event"] in ("epoch_finished", "evaluated"):
            split = event.get("split", "train")
            for name in ["loss", "accuracy"]:
                add(f"epoch_{name}/{split}", event["epoch"], event[name])
    assert found.keys() == wanted.keys(), (found.keys(), wanted.keys())
    for tag in sorted(wanted):
        assert found[tag] == wanted[tag], tag
        print(f"{tag}: {len(wanted[tag])} values, all as in metrics.jsonl")


if __name__ == "__main__":
    {"golden": golden, "check": check}[sys.argv[1]](*sys.argv[2:])
