"""Compare an output with the reference's, and keep every worst error for the table at the end of the test session."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Comparison(NamedTuple):
    name: str
    worst: float
    limit: float


COMPARISONS: list[Comparison] = []


def assert_close(name: str, ours: npt.NDArray[Any], golden: npt.NDArray[Any], limit: float = 1e-3) -> None:
    """Assert equal shapes, and a worst absolute error of at most `limit`; `name` is the row in the table.

    Not-a-number anywhere counts as an infinite error.
    """
    assert ours.shape == golden.shape, f"{name}: shape {ours.shape}, the reference has {golden.shape}"
    errors = np.abs(ours.astype(np.float64) - golden.astype(np.float64))
    worst = float(np.nan_to_num(errors, nan=np.inf).max())
    COMPARISONS.append(Comparison(name, worst, limit))
    assert worst <= limit, f"{name}: worst absolute error {worst:.2e}, the limit is {limit:.0e}"
