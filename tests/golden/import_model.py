"""A small PyTorch classifier under names that are not Taper's; writes its state_dict and its probabilities.

import_model.safetensors: `words`, `encoder` (one bidirectional nn.LSTM without biases), `head` on the mean over the
real steps, two logits. import_model.json: token ids and softmax, computed in float64 from the f32 weights.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 5, padding_idx=1)
        self.encoder = nn.LSTM(5, 4, bidirectional=True, bias=False)
        self.head = nn.Linear(8, 2)

    def forward(self, ids):
        output, _ = self.encoder(self.words(ids).unsqueeze(1))
        return self.head(output.mean(0)).squeeze(0)


def main():
    torch.manual_seed(5)
    torch.set_num_threads(1)
    model = Model().eval()
    for weight in (*model.encoder.parameters(), *model.head.parameters()):
        weight.data *= 3
    weights = Path(__file__).with_suffix(".safetensors")
    save_file(model.state_dict(), weights, metadata={"torch": torch.__version__})
    sequences = [torch.randint(2, 20, (n,)).tolist() for n in (6, 1, 13, 3)]
    model.double()
    with torch.no_grad():
        rows = [model(torch.tensor(s)).softmax(0).float().tolist() for s in sequences]
    golden = {
        "torch": torch.__version__,
        "sequences": sequences,
        "probabilities": rows,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
