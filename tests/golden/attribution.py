"""Golden values of Captum's attributions for the model of tutorial_model.safetensors; writes attribution.json.

Weights are f32, all arithmetic is in float64. Baselines are embeddings of zeros.
"""

import json
from pathlib import Path

import captum
import torch
from captum.attr import InputXGradient, IntegratedGradients, Occlusion
from safetensors.torch import load_file

from tutorial_model import TutorialModel

STEPS = 16


def main():
    folder = Path(__file__).parent
    golden = json.loads((folder / "tutorial_model.json").read_text())
    model = TutorialModel(**golden["config"]).double().eval()
    state = load_file(folder / "tutorial_model.safetensors")
    model.load_state_dict({name: value.double() for name, value in state.items()})

    def logit(embedded):
        _, (hidden, _) = model.rnn(embedded.transpose(0, 1))
        return model.fc(torch.cat((hidden[-2], hidden[-1]), dim=1)).squeeze(1)

    torch.set_num_threads(1)
    results = []
    for ids in golden["sequences"]:
        embedded = model.embedding(torch.tensor([ids])).detach()
        integrated = IntegratedGradients(logit).attribute(
            embedded, n_steps=STEPS, method="gausslegendre"
        )
        product = InputXGradient(logit).attribute(embedded.clone().requires_grad_())
        width = embedded.shape[-1]
        occluded = Occlusion(logit).attribute(
            embedded, sliding_window_shapes=(1, width), baselines=0.0
        )
        with torch.no_grad():
            value, baseline = logit(embedded), logit(torch.zeros_like(embedded))
        results.append(
            {
                "ids": ids,
                "value": value.item(),
                "baseline": baseline.item(),
                "integrated_gradients": integrated.sum(-1)[0].tolist(),
                "gradient_x_input": product.sum(-1)[0].tolist(),
                # The window covers all features of a token: each has the token's whole effect.
                "occlusion": occluded[0, :, 0].tolist(),
            }
        )
    path = Path(__file__).with_suffix(".json")
    facts = {"captum": captum.__version__, "torch": torch.__version__, "steps": STEPS}
    path.write_text(json.dumps(facts | {"texts": results}, indent=1) + "\n")
    print(f"{path}: {len(results)} texts")


if __name__ == "__main__":
    main()
