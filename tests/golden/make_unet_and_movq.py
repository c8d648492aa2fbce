"""Write unet_and_movq.npz: what diffusers computes with weights and inputs drawn by name.

    python -m tests.golden.make_unet_and_movq

Run from the repository's root in an environment with torch and diffusers (0.39.0 wrote the committed file).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel, VQModel

from tests.golden import configs_unet_movq as configs
from tests.golden.cases_unet_movq import MOVQ_CASES, UNET_CASES, unet_inputs
from tests.golden.keys import key_digest
from tests.random_weights import random_input, random_tensor

GOLDEN = Path(__file__).with_name("unet_and_movq.npz")


def filled(model: torch.nn.Module) -> torch.nn.Module:
    values = {key: torch.from_numpy(random_tensor(key, tuple(t.shape))) for key, t in model.state_dict().items()}
    model.load_state_dict(values, strict=True)
    return model.eval()


def unet_outputs(config: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    model = filled(UNet2DConditionModel.from_config(config))
    inputs = {name: torch.from_numpy(values) for name, values in unet_inputs(case, config).items()}
    embeds = {name: inputs.pop(name) for name in ("text_embeds", "image_embeds")}
    output = model(timestep=case["timestep"], added_cond_kwargs=embeds, **inputs)
    return {"output": output.sample.numpy()}


def movq_outputs(config: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    model = filled(VQModel.from_config(config))
    latents = torch.from_numpy(random_input("latents", case["latents"]))
    quantised, _, (_, _, codes) = model.quantize(latents)
    return {
        "encoded": model.encode(torch.from_numpy(random_input("pixels", case["pixels"]))).latents.numpy(),
        "quantised": quantised.numpy(),
        "codes": codes.reshape(latents.shape[0], *latents.shape[2:]).numpy().astype(np.int32),
        "decoded": model.decode(latents, force_not_quantize=True).sample.numpy(),
        "decoded quantised": model.decode(latents).sample.numpy(),
    }


def full_size_shapes(kind: type[torch.nn.Module], config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = kind.from_config(config)
    return {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}


def main() -> None:
    arrays: dict[str, Any] = {}
    with torch.no_grad():
        for name, (config, case) in UNET_CASES.items():
            arrays |= {f"{name}/{part}": values for part, values in unet_outputs(config, case).items()}
        for name, (config, case) in MOVQ_CASES.items():
            arrays |= {f"{name}/{part}": values for part, values in movq_outputs(config, case).items()}
    for name, kind, config in (
        ("UNet", UNet2DConditionModel, configs.UNET_FULL),
        ("MoVQ", VQModel, configs.MOVQ_FULL),
    ):
        shapes = full_size_shapes(kind, config)
        arrays[f"{name} full size/digest"] = np.array(key_digest(shapes))
        arrays[f"{name} full size/parameters"] = np.array(sum(int(np.prod(shape)) for shape in shapes.values()))
    np.savez_compressed(GOLDEN, **arrays)


if __name__ == "__main__":
    main()
