"""What the text encoders, the image encoder and the prior are fed for their golden outputs; numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.random_weights import random_input

# One step of a diffusion in its middle, and its two ends.
PRIOR_TIMESTEPS = (0, 500, 999)


def clip_ids(config: Mapping[str, Any]) -> npt.NDArray[np.int32]:
    """Three prompts: padded with the end id, padded with 0, and as long as the model's positions allow.

    They hold ids that the wrong rule would take for the end of the text: 2 under the legacy rule, else the highest.
    """
    highest = config["vocab_size"] - 1
    legacy = config["eos_token_id"] == 2
    end, decoy = (highest, 2) if legacy else (config["eos_token_id"], highest)
    length = config["max_position_embeddings"]
    ids = np.full((3, length), end, np.int32)
    ids[0, :5] = [3, 7, decoy, 11, 5]
    ids[1] = [4, decoy, 8, end] + [0] * (length - 4)
    ids[2, :-1] = 3 + np.arange(length - 1) % 40
    return ids


def pixels(config: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """Two preprocessed pictures."""
    return random_input("pixels", (2, 3, config["image_size"], config["image_size"]))


def multilingual_ids(config: Mapping[str, Any]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Ids and mask of three prompts: a short one, an empty one, and one that fills the positions."""
    pad = config.get("pad_token_id", 1)
    length = config["max_position_embeddings"] - pad - 1
    ids = np.full((3, length), pad, np.int32)
    ids[0, :6] = [0, 9, 33, 12, 9, 2]
    ids[1, :2] = [0, 2]
    ids[2] = 4 + np.arange(length) * 7 % 50
    return ids, (ids != pad).astype(np.int32)


def prior_inputs(config: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Arguments of the prior other than the timestep: a batch of two, of which the first text is padded."""
    width, tokens = config["embedding_dim"], config["num_embeddings"]
    mask = np.ones((2, tokens), np.int32)
    mask[0, 6:] = 0
    return {
        "latents": random_input("latents", (2, width)),
        "text_embeds": random_input("text_embeds", (2, width)),
        "text_hidden_states": random_input("text_hidden_states", (2, tokens, width)),
        "attention_mask": mask,
    }
