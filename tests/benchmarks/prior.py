"""What a step of the prior costs beside encoding its text, at the published width.

    .venv/bin/python -m tests.benchmarks.prior [layers, 20 as published: 4 GB]

Prints the best of several calls. A step over all 81 tokens costs about as much as both together.
"""

from __future__ import annotations

import sys

from mindspore import Tensor

from kandinsky_backend import device
from kandinsky_backend.models.prior import PriorTransformer, PriorTransformerConfig
from tests.benchmarks.operators import seconds
from tests.golden import configs
from tests.golden.text_and_prior_inputs import prior_inputs
from tests.weights_from_names import RandomWeights


def main() -> None:
    device.prepare()
    layers = int(sys.argv[1]) if len(sys.argv) > 1 else configs.PRIOR["published"]["num_layers"]
    config = configs.PRIOR["published"] | {"num_layers": layers}
    model = PriorTransformer(PriorTransformerConfig.from_dict(config), RandomWeights())
    inputs = {name: Tensor(values) for name, values in prior_inputs(config).items()}
    latents = inputs.pop("latents")
    prefix = model.encode_text(**inputs)
    encode = seconds(lambda: model.encode_text(**inputs).layers[-1].values)
    step = seconds(lambda: model(latents, 500, prefix))
    print(f"{layers} layers: text {encode * 1e3:.0f} ms, step {step * 1e3:.0f} ms, ratio {encode / step:.1f}")


if __name__ == "__main__":
    main()
