"""Write bfloat16.json: the error that PyTorch's bfloat16 makes against its float32, for each output of each model.

    python -m tests.golden.make_bfloat16

Run from the repository's root in an environment with torch, diffusers and transformers (0.39.0 and 4.57.6 wrote the
committed file, on a CPU). The models, weights and inputs are those of the other golden files. An error is the root mean
square of the difference, as a share of that of the float32 values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from tests.golden import make_text_and_prior, make_unet_and_movq
from tests.golden.bfloat16 import GOLDEN, relative_error
from tests.golden.cases_unet_movq import MOVQ_CASES, UNET_CASES

Outputs = dict[str, Any]


@contextmanager
def in_bfloat16() -> Iterator[None]:
    """Models that got their weights are in bfloat16, and so is what an array becomes; what comes back is float32."""
    load, from_numpy, to_numpy = torch.nn.Module.load_state_dict, torch.from_numpy, torch.Tensor.numpy

    def loaded(model: torch.nn.Module, *arguments: Any, **options: Any) -> None:
        load(model, *arguments, **options)
        model.bfloat16()

    def rounded(values: Any) -> torch.Tensor:
        tensor = from_numpy(values)
        return tensor.bfloat16() if tensor.is_floating_point() else tensor

    def widened(tensor: torch.Tensor) -> Any:
        return to_numpy(tensor.float() if tensor.is_floating_point() else tensor)

    with (
        patch.object(torch.nn.Module, "load_state_dict", loaded),
        patch.object(torch, "from_numpy", rounded),
        patch.object(torch.Tensor, "numpy", widened),
    ):
        yield


def cases() -> Iterator[tuple[str, Callable[[], Outputs]]]:
    for name, (config, case) in UNET_CASES.items():
        yield name, lambda config=config, case=case: make_unet_and_movq.unet_outputs(config, case)  # type: ignore[misc]
    for name, (config, case) in MOVQ_CASES.items():
        yield name, lambda config=config, case=case: make_unet_and_movq.movq_outputs(config, case)  # type: ignore[misc]
    for name, model in make_text_and_prior.CASES.items():
        for letter in "ab":
            config = model.architectures[letter]
            yield f"{name}/{letter}", lambda model=model, config=config: model.outputs(config)  # type: ignore[misc]


@torch.no_grad()
def main() -> None:
    errors: dict[str, float] = {}
    for name, outputs in cases():
        exact = outputs()
        with in_bfloat16():
            rounded = outputs()
        for part, values in exact.items():
            if np.issubdtype(values.dtype, np.floating) and "quantised" not in part:  # nearest vectors jump
                errors[f"{name}/{part}"] = relative_error(rounded[part], values)
    GOLDEN.write_text(json.dumps(errors, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
