"""Whole pipelines against diffusers': golden files of small random checkpoints of two architectures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor

from kandinsky_backend.pipelines import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.schedulers import SCHEDULERS
from tests.golden.compare import assert_close
from tests.golden.pipeline_cases import (
    DECODER_CASES,
    GENTLE_CASES,
    PRIOR_CASES,
    SCHEDULER_CHANGES,
    SIZES,
    WHOLE,
    WHOLE_DECODER,
    DecoderCase,
    PriorCase,
    decoder_options,
    embeds_of,
    generator,
    items_of,
    kept,
    prior_options,
    write_gentle_decoder,
)
from tests.random_checkpoint import write_checkpoint

GOLDEN = Path(__file__).parents[2] / "golden" / "pipelines.npz"


@dataclass(frozen=True)
class Model:
    size: str
    prior: KandinskyPriorPipeline
    decoders: Mapping[str, KandinskyPipeline]

    def decoder_of(self, case: DecoderCase) -> KandinskyPipeline:
        return self.decoders[case.decoder]

    def golden(self, name: str) -> np.ndarray:
        with np.load(GOLDEN) as arrays:
            return arrays[f"{self.size}/{name}"]


@pytest.fixture(scope="module", params=SIZES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp(request.param)
    write_checkpoint(folder, request.param)
    prior = KandinskyPriorPipeline.from_pretrained(folder / "prior")
    write_gentle_decoder(folder / "decoder", folder / "gentle")
    decoders = {name: KandinskyPipeline.from_pretrained(folder / name) for name in ("decoder", "gentle")}
    for pipeline in (prior, *decoders.values()):
        pipeline.set_progress_bar_config(disable=True)
    return Model(request.param, prior, decoders)


def run_prior(prior: KandinskyPriorPipeline, case: PriorCase) -> tuple[Tensor, Tensor]:
    options = {**prior_options(case), "generator": generator()}
    if case.weights is None:
        return prior(items_of(case), **options)
    return prior.interpolate(items_of(case), case.weights, **options)


def run_decoder(decoder: KandinskyPipeline, case: DecoderCase, embeds: tuple[Tensor, Tensor]) -> np.ndarray:
    options = decoder_options(case, decoder.movq_scale_factor)
    return kept(decoder(case.prompt, *embeds, generator=generator(), output_type="ms", **options)[0].asnumpy())


@pytest.mark.parametrize("case", PRIOR_CASES, ids=lambda case: case.name)
def test_the_prior_pipeline_matches_the_reference(model: Model, case: PriorCase) -> None:
    ours = np.stack([embeds.asnumpy() for embeds in run_prior(model.prior, case)])
    golden = np.stack([model.golden(f"prior/{case.name}/{name}") for name in ("embeds", "negative")])
    assert_close(f"{model.size} prior: {case.name}", ours, golden)


@pytest.mark.parametrize("case", DECODER_CASES, ids=lambda case: case.name)
def test_the_decoder_pipeline_matches_the_reference(model: Model, case: DecoderCase) -> None:
    decoder = KandinskyPipeline(**model.decoder_of(case).components)
    decoder.set_progress_bar_config(disable=True)
    changes = SCHEDULER_CHANGES[case.scheduler]
    decoder.scheduler = SCHEDULERS[case.scheduler].from_config(decoder.scheduler.config, **changes)
    embeds, negative = embeds_of(case, decoder.unet.config.cross_attention_dim)
    images = run_decoder(decoder, case, (Tensor(embeds), Tensor(negative)))
    assert_close(f"{model.size} decoder: {case.name}", images, model.golden(f"decoder/{case.name}"))


@pytest.mark.parametrize("case", GENTLE_CASES, ids=lambda case: case.name)
def test_unclipped_samples_of_the_published_scheduler_match_the_reference(model: Model, case: DecoderCase) -> None:
    decoder = model.decoder_of(case)
    embeds, negative = embeds_of(case, decoder.unet.config.cross_attention_dim)
    images = run_decoder(decoder, case, (Tensor(embeds), Tensor(negative)))
    golden = model.golden(f"gentle/{case.name}")
    largest = np.abs(golden).max()  # 23 to 80, where a picture's values are 0 to 1
    assert_close(f"{model.size} decoder, unclipped, relative: {case.name}", images / largest, golden / largest)


def test_items_to_a_picture_match_the_reference(model: Model) -> None:
    images = run_decoder(model.decoder_of(WHOLE_DECODER), WHOLE_DECODER, run_prior(model.prior, WHOLE))
    assert_close(f"{model.size} {WHOLE.name}", images.clip(0, 1), model.golden("whole").clip(0, 1))
