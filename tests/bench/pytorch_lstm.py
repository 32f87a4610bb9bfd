"""The rival: PyTorch on the tutorial model, a process that answers with times.

`cargo xtask bench lstm` starts it and asks for one batch at a time, so that the
contenders take turns. By hand:

    python pytorch_lstm.py --batches FILE [--threads N] [--device cuda] [--keep-denormals]

FILE is JSON: {"vocabulary": 10002, "batches": [{"texts": [[id, ...], ...], "labels":
[0, ...]}, ...]}. First comes a line about this process; then every line
`MODE train|infer BATCH` on stdin is answered by one line of JSON on stdout,
{"seconds": s} or {"error": why}. The modes:

    padded        the whole padded batch in one call, which takes oneDNN: PyTorch's best
                  on the CPU (its last states see padding)
    no-onednn     the same without oneDNN
    packed        pack_padded_sequence, as the tutorial does; never takes oneDNN
    compile       padded, through torch.compile (needs a C++ compiler; the LSTM itself
                  stays eager)
    int8          padded, quantize_dynamic; only infers
    cudnn         padded on the GPU, in f32 without TF32
    cudnn-packed  packed on the GPU, in f32 without TF32
    cudnn-amp     padded on the GPU under torch.autocast(bfloat16)
    cudnn-bf16    padded on the GPU, parameters and all in bfloat16

A time ends when the result is there: the step of Adam, or the logits.
"""

import argparse
import contextlib
import json
import sys
import time
import warnings
from pathlib import Path

try:
    import torch
    from torch import nn
except ImportError as error:
    print(json.dumps({"error": str(error)}), flush=True)
    sys.exit(1)

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
from tutorial_model import TutorialModel, pad  # noqa: E402


class PaddedModel(TutorialModel):
    def forward(self, ids, lengths):
        _, (hidden, _) = self.rnn(self.dropout(self.embedding(ids)))
        hidden = self.dropout(torch.cat((hidden[-2], hidden[-1]), dim=1))
        return self.fc(hidden).squeeze(1)


class Rival:
    """The model in one mode, with its optimizer."""

    def __init__(self, mode, vocabulary, device):
        torch.manual_seed(2)
        kind = TutorialModel if mode.endswith("packed") else PaddedModel
        model = kind(vocabulary, embedding=100, hidden=256, dropout=0.5).to(device)
        if mode == "cudnn-bf16":
            model.bfloat16()
        if mode == "int8":
            model = torch.ao.quantization.quantize_dynamic(
                model.eval(), {nn.LSTM, nn.Linear}, dtype=torch.qint8
            )
        self.trains = mode != "int8"
        self.adam = (
            torch.optim.Adam(model.parameters(), lr=1e-3) if self.trains else None
        )
        self.model = torch.compile(model, dynamic=True) if mode == "compile" else model
        self.criterion = nn.BCEWithLogitsLoss()
        self.device, self.mode = device, mode

    def settings(self):
        if self.mode == "no-onednn":
            return torch.backends.mkldnn.flags(enabled=False)
        if self.mode == "cudnn-amp":
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()

    def train(self, ids, lengths, labels):
        if not self.trains:
            raise ValueError(f"{self.mode} only infers")
        if not self.model.training:
            self.model.train()
        self.adam.zero_grad()
        with self.settings():
            logits = self.model(ids, lengths)
        self.criterion(logits.float(), labels).backward()
        self.adam.step()

    @torch.inference_mode()
    def infer(self, ids, lengths, _labels):
        if self.model.training:
            self.model.eval()
        with self.settings():
            self.model(ids, lengths).float().cpu()

    def seconds(self, verb, batch):
        work = {"train": self.train, "infer": self.infer}[verb]
        synchronize(self.device)
        start = time.perf_counter()
        work(*batch)
        synchronize(self.device)
        return time.perf_counter() - start


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def read_batches(path, device):
    """The vocabulary's size; ids [T, B], lengths [B], labels [B] of each batch."""
    contents = json.loads(path.read_text())
    batches = []
    for batch in contents["batches"]:
        ids, lengths = pad(batch["texts"])
        labels = torch.tensor(batch["labels"], dtype=torch.float32)
        # pack_padded_sequence wants the lengths on the CPU.
        batches.append((ids.to(device), lengths, labels.to(device)))
    return contents["vocabulary"], batches


def answer(line, rivals, make, batches):
    mode, verb, index = line.split()
    if mode not in rivals:
        rivals[mode] = make(mode)
    return {"seconds": rivals[mode].seconds(verb, batches[int(index)])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default="cpu")
    parser.add_argument(
        "--keep-denormals", action="store_true", help="PyTorch as it comes"
    )
    arguments = parser.parse_args()

    warnings.simplefilter("ignore")
    # Before any other call: worker threads inherit the setting when they start.
    torch.set_flush_denormal(not arguments.keep_denormals)
    torch.set_num_threads(arguments.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    vocabulary, batches = read_batches(arguments.batches, arguments.device)
    hello = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.is_available(),
        "cudnn": torch.backends.cudnn.version(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }
    print(json.dumps(hello), flush=True)

    rivals = {}
    for line in sys.stdin:
        try:
            reply = answer(
                line,
                rivals,
                lambda mode: Rival(mode, vocabulary, arguments.device),
                batches,
            )
        except Exception as error:  # whatever it is, the asking side decides
            reply = {"error": f"{type(error).__name__}: {error}".split("\n")[0]}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
