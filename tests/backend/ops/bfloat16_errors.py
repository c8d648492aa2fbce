"""Print, as JSON, the error that our bfloat16 plans make against float32 plans for each output of each model.

    python -m tests.backend.ops.bfloat16_errors

The outputs are those of tests/golden/bfloat16.json. Run in a process of its own: on a processor without bfloat16 the
library that emulated.py makes must be preloaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor

from kandinsky_backend.models.clip import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)
from kandinsky_backend.models.movq import MoVQ, MoVQConfig
from kandinsky_backend.models.prior import PriorTransformer, PriorTransformerConfig
from kandinsky_backend.models.unet import UNet2DConditionModel, UNetConfig
from kandinsky_backend.models.xlm_roberta import MultilingualCLIP, MultilingualCLIPConfig
from kandinsky_backend.ops.plans import winograd
from kandinsky_backend.ops.plans.regions import Dtype
from tests.golden import configs, text_and_prior_inputs
from tests.golden.bfloat16 import relative_error
from tests.golden.cases_unet_movq import MOVQ_CASES, UNET_CASES, unet_inputs
from tests.random_weights import random_input
from tests.weights_from_names import RandomWeights

Outputs = dict[str, npt.NDArray[Any]]


def unet(name: str, weights: RandomWeights) -> Outputs:
    config, case = UNET_CASES[name]
    model = UNet2DConditionModel(UNetConfig.from_dict(config), weights)
    told = {name: Tensor(values).astype(weights.dtype) for name, values in unet_inputs(case, config).items()}
    sample, text = told.pop("sample"), model.project_text(told.pop("encoder_hidden_states"))
    return {"output": _array(model(sample, case["timestep"], model.condition(text, **told)))}


def movq(name: str, weights: RandomWeights) -> Outputs:
    config, case = MOVQ_CASES[name]
    model = MoVQ(MoVQConfig.from_dict(config), weights)
    pixels, latents = (Tensor(random_input(kind, case[kind])).astype(weights.dtype) for kind in ("pixels", "latents"))
    return {
        "encoded": _array(model.encode(pixels)),
        "decoded": _array(model.decode(latents)),
    }


def clip_text(letter: str, weights: RandomWeights) -> Outputs:
    config = configs.CLIP_TEXT[letter]
    embeds, states = CLIPTextModelWithProjection(CLIPTextConfig.from_dict(config), weights)(
        Tensor(text_and_prior_inputs.clip_ids(config))
    )
    return {"text_embeds": _array(embeds), "last_hidden_state": _array(states)}


def clip_vision(letter: str, weights: RandomWeights) -> Outputs:
    config = configs.CLIP_VISION[letter]
    model = CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(config), weights)
    return {"image_embeds": _array(model(Tensor(text_and_prior_inputs.pixels(config))))}


def multilingual_clip(letter: str, weights: RandomWeights) -> Outputs:
    config = configs.MULTILINGUAL_CLIP[letter]
    ids, mask = text_and_prior_inputs.multilingual_ids(config)
    embeds, states = MultilingualCLIP(MultilingualCLIPConfig.from_dict(config), weights)(Tensor(ids), Tensor(mask))
    return {"text_embeds": _array(embeds), "last_hidden_state": _array(states)}


def prior(letter: str, weights: RandomWeights) -> Outputs:
    config = configs.PRIOR[letter]
    model = PriorTransformer(PriorTransformerConfig.from_dict(config), weights)
    given = {name: Tensor(values) for name, values in text_and_prior_inputs.prior_inputs(config).items()}
    prefix = model.encode_text(given["text_embeds"], given["text_hidden_states"], given["attention_mask"])
    return {
        f"predicted_{timestep}": _array(model(given["latents"], timestep, prefix))
        for timestep in text_and_prior_inputs.PRIOR_TIMESTEPS
    }


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    return np.asarray(tensor.astype(ms.float32).asnumpy())


def cases() -> Iterator[tuple[str, Callable[[RandomWeights], Outputs]]]:
    """Each model's name as in bfloat16.json, and what computes its outputs with given weights."""
    for name in UNET_CASES:
        yield name, lambda weights, name=name: unet(name, weights)  # type: ignore[misc]
    for name in MOVQ_CASES:
        yield name, lambda weights, name=name: movq(name, weights)  # type: ignore[misc]
    for model in (clip_text, clip_vision, multilingual_clip, prior):
        for letter in "ab":
            yield f"{model.__name__}/{letter}", lambda weights, model=model, letter=letter: model(letter, weights)  # type: ignore[misc]


def convolve_in_tiles() -> None:
    """Let all maps but latents and pixels be convolved in tiles, as most are at the published sizes."""
    winograd.LEAST_TILES[Dtype.BFLOAT16] = {2: 1}
    winograd.LEAST_CHANNELS = 8
    winograd.has_matrix_unit = lambda: False  # type: ignore[assignment]


def main() -> None:
    convolve_in_tiles()
    errors = {}
    for name, outputs in cases():
        exact, rounded = (outputs(RandomWeights(dtype=dtype)) for dtype in (ms.float32, ms.bfloat16))
        errors |= {f"{name}/{part}": relative_error(rounded[part], values) for part, values in exact.items()}
    print(json.dumps(errors))


if __name__ == "__main__":
    main()
