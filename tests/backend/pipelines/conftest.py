from __future__ import annotations

from pathlib import Path

import pytest

from kandinsky_backend.pipelines import KandinskyPipeline, KandinskyPriorPipeline


@pytest.fixture(scope="module")
def prior(tiny_checkpoint: Path) -> KandinskyPriorPipeline:
    pipeline = KandinskyPriorPipeline.from_pretrained(tiny_checkpoint / "prior")
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def decoder(tiny_checkpoint: Path) -> KandinskyPipeline:
    pipeline = KandinskyPipeline.from_pretrained(tiny_checkpoint / "decoder")
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def width(decoder: KandinskyPipeline) -> int:
    return decoder.unet.config.cross_attention_dim
