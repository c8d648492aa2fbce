"""Make text_and_prior.npz: what diffusers and transformers compute for CLIP, multilingual CLIP and the prior.

Run from the project's root, in an environment of its own with torch, diffusers 0.39.0 and transformers 4.57.6:

    python -m tests.golden.make_text_and_prior
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from diffusers import PriorTransformer
from diffusers.pipelines.kandinsky.text_encoder import MCLIPConfig, MultilingualCLIP
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from tests.golden import configs, text_and_prior_inputs
from tests.golden.keys import key_digest
from tests.random_weights import random_tensor

Config = Mapping[str, Any]
Arrays = dict[str, npt.NDArray[Any]]


def clip_text(config: Config) -> torch.nn.Module:
    return CLIPTextModelWithProjection(CLIPTextConfig(**config))


def clip_vision(config: Config) -> torch.nn.Module:
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**config))


def multilingual_clip(config: Config) -> torch.nn.Module:
    return MultilingualCLIP(MCLIPConfig(**config))


def prior(config: Config) -> torch.nn.Module:
    return PriorTransformer.from_config(dict(config))


def with_random_weights(model: torch.nn.Module) -> torch.nn.Module:
    state = {name: torch.from_numpy(random_tensor(name, tuple(t.shape))) for name, t in model.state_dict().items()}
    model.load_state_dict(state, strict=True)
    return model.eval()


def clip_text_outputs(config: Config) -> Arrays:
    model = with_random_weights(clip_text(config))
    out = model(torch.from_numpy(text_and_prior_inputs.clip_ids(config)).long())
    return {"text_embeds": out.text_embeds.numpy(), "last_hidden_state": out.last_hidden_state.numpy()}


def clip_vision_outputs(config: Config) -> Arrays:
    model = with_random_weights(clip_vision(config))
    return {"image_embeds": model(torch.from_numpy(text_and_prior_inputs.pixels(config))).image_embeds.numpy()}


def multilingual_clip_outputs(config: Config) -> Arrays:
    model = with_random_weights(multilingual_clip(config))
    ids, mask = text_and_prior_inputs.multilingual_ids(config)
    embeds, states = model(torch.from_numpy(ids).long(), torch.from_numpy(mask).long())
    return {"text_embeds": embeds.numpy(), "last_hidden_state": states.numpy()}


def prior_outputs(config: Config) -> Arrays:
    model = with_random_weights(prior(config))
    arguments = {name: torch.from_numpy(value) for name, value in text_and_prior_inputs.prior_inputs(config).items()}
    outputs = {}
    for timestep in text_and_prior_inputs.PRIOR_TIMESTEPS:
        predicted = model(
            arguments["latents"],
            timestep,
            proj_embedding=arguments["text_embeds"],
            encoder_hidden_states=arguments["text_hidden_states"],
            attention_mask=arguments["attention_mask"].bool(),
        ).predicted_image_embedding
        outputs[f"predicted_{timestep}"] = predicted.numpy()
    outputs["post_processed"] = model.post_process_latents(arguments["latents"]).numpy()
    return outputs


class Case(NamedTuple):
    """A model: its small and published architectures, how to build it, and what it computes."""

    architectures: configs.Configs
    build: Callable[[Config], torch.nn.Module]
    outputs: Callable[[Config], Arrays]


CASES = {
    "clip_text": Case(configs.CLIP_TEXT, clip_text, clip_text_outputs),
    "clip_vision": Case(configs.CLIP_VISION, clip_vision, clip_vision_outputs),
    "multilingual_clip": Case(configs.MULTILINGUAL_CLIP, multilingual_clip, multilingual_clip_outputs),
    "prior": Case(configs.PRIOR, prior, prior_outputs),
}


def published_keys(case: Case) -> str:
    """The digest of the published architecture's keys, less the pooler that nothing uses."""
    with torch.device("meta"):
        state = case.build(case.architectures["published"]).state_dict()
    return key_digest({name: tuple(t.shape) for name, t in state.items() if ".pooler." not in name})


@torch.no_grad()
def main() -> None:
    arrays: Arrays = {}
    for name, case in CASES.items():
        arrays[f"{name}/published_keys"] = np.array(published_keys(case))
        for letter in "ab":
            for output, values in case.outputs(case.architectures[letter]).items():
                arrays[f"{name}/{letter}/{output}"] = values
    np.savez_compressed(Path(__file__).with_name("text_and_prior.npz"), **arrays)
    for key, values in arrays.items():
        print(f"{key:45} {values if values.dtype.kind == 'U' else values.shape}")


if __name__ == "__main__":
    main()
