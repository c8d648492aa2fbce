"""Tests of plans need an executor: they are left out without a C++ compiler, and where plans do not run."""

from __future__ import annotations

import pytest

from kandinsky_backend.ops.plans import build


@pytest.fixture(autouse=True, scope="session")
def _executor() -> None:
    try:
        build.library()
    except build.NoExecutor as exc:
        pytest.skip(str(exc))
