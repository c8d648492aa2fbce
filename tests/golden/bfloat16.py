"""The error that PyTorch's bfloat16 makes for each output of each model, which make_bfloat16.py wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

GOLDEN = Path(__file__).with_name("bfloat16.json")


def relative_error(values: npt.NDArray[Any], exact: npt.NDArray[Any]) -> float:
    """Root mean square of the difference, as a share of that of `exact`."""
    return float(np.linalg.norm(values.astype(np.float64) - exact) / np.linalg.norm(exact.astype(np.float64)))
