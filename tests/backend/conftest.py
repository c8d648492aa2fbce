"""Checkpoints that many tests read, and the device as the pipelines set it up."""

from __future__ import annotations

from pathlib import Path

import pytest

from kandinsky_backend import device
from tests.random_checkpoint import write_checkpoint


@pytest.fixture(autouse=True, scope="session")
def _prepared_device() -> None:
    device.prepare()


@pytest.fixture(scope="session")
def other_tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As tiny_checkpoint, of tiny_b: another architecture, in float16."""
    folder = tmp_path_factory.mktemp("tiny_b")
    write_checkpoint(folder, "tiny_b", "fp16")
    return folder
