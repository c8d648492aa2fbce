"""What the golden maker and the tests feed the UNet and MoVQ. numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.golden import configs_unet_movq as configs
from tests.random_weights import random_input

# Sizes are height, width; no map is square.
UNET_CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "UNet two levels": (configs.UNET_TWO_LEVELS, {"batch": 2, "size": (10, 6), "tokens": 7, "timestep": 981}),
    "UNet three levels": (configs.UNET_THREE_LEVELS, {"batch": 3, "size": (8, 12), "tokens": 1, "timestep": 1}),
}

MOVQ_CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "MoVQ two levels": (configs.MOVQ_TWO_LEVELS, {"pixels": (2, 3, 10, 14), "latents": (2, 4, 5, 7)}),
    "MoVQ three levels": (configs.MOVQ_THREE_LEVELS, {"pixels": (1, 3, 24, 20), "latents": (2, 6, 6, 5)}),
}


def unet_inputs(case: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, npt.NDArray[np.float32]]:
    """The UNet's tensor arguments by name."""
    batch, width = case["batch"], config["cross_attention_dim"]
    return {
        "sample": random_input("sample", (batch, config["in_channels"], *case["size"])),
        "encoder_hidden_states": random_input("hidden", (batch, case["tokens"], config["encoder_hid_dim"])),
        "text_embeds": random_input("text", (batch, width)),
        "image_embeds": random_input("image", (batch, width)),
    }
