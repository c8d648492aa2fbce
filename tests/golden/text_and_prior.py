"""The reference's outputs for the text encoders, the image encoder and the prior: "model/architecture/output"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

with np.load(Path(__file__).with_name("text_and_prior.npz"), allow_pickle=False) as archive:
    GOLDEN: dict[str, npt.NDArray[Any]] = dict(archive)
