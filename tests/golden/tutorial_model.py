"""The tutorial's PyTorch model; writes a small one's state_dict and logits beside itself.

tutorial_model.safetensors is the state_dict as a user saves it; tutorial_model.json holds token ids and the
logits in eval mode, computed in float64 from the f32 weights and rounded to f32. README.md documents the keys.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

PADDING = 1


class TutorialModel(nn.Module):
    """ids [T, B] and lengths [B] -> logits [B]."""

    def __init__(self, vocabulary, embedding, hidden, dropout):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding, padding_idx=PADDING)
        self.rnn = nn.LSTM(
            embedding, hidden, num_layers=2, bidirectional=True, dropout=dropout
        )
        self.fc = nn.Linear(2 * hidden, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids, lengths):
        embedded = self.dropout(self.embedding(ids))
        packed = pack_padded_sequence(embedded, lengths, enforce_sorted=False)
        _, (hidden, _) = self.rnn(packed)
        hidden = self.dropout(torch.cat((hidden[-2], hidden[-1]), dim=1))
        return self.fc(hidden).squeeze(1)


def pad(sequences):
    """Lists of ids -> ids [T, B], lengths [B]."""
    ids = pad_sequence([torch.tensor(s) for s in sequences], padding_value=PADDING)
    return ids, torch.tensor([len(s) for s in sequences])


def main():
    torch.manual_seed(2)
    torch.set_num_threads(1)
    config = {"vocabulary": 50, "embedding": 12, "hidden": 16, "dropout": 0.5}
    model = TutorialModel(**config).eval()
    for weight in (*model.rnn.parameters(), *model.fc.parameters()):
        weight.data *= (
            3  # as trained weights, so that the logits differ between reviews
        )
    weights = Path(__file__).with_suffix(".safetensors")
    save_file(model.state_dict(), weights, metadata={"torch": torch.__version__})

    lengths = [7, 1, 12, 3, 30, 7, 2, 19]
    sequences = [torch.randint(2, 50, (length,)).tolist() for length in lengths]
    sequences[2][4] = 0  # an unknown word
    with torch.no_grad():
        logits = model.double()(*pad(sequences)).float()

    golden = {
        "torch": torch.__version__,
        "config": config,
        "sequences": sequences,
        "logits": logits.tolist(),
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden) + "\n")
    for written in (weights, path):
        print(f"{written}: {written.stat().st_size} bytes")


if __name__ == "__main__":
    main()
