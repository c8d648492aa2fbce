"""Schedulers against diffusers' (golden files), and what they promise beside its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kandinsky_backend import schedulers
from kandinsky_backend.schedulers import (
    DDIMScheduler,
    DDPMScheduler,
    Scheduler,
    UnCLIPScheduler,
    draw_noise,
)
from tests.golden.compare import assert_close
from tests.golden.scheduler_cases import KANDINSKY, KANDINSKY_PRIOR, Case, cases, first_sample, kept, model_output

GOLDEN = Path(__file__).parents[1] / "golden" / "schedulers.npz"
GROUPS = sorted({(case.scheduler, case.steps) for case in cases()})
LIMIT = 1e-5


def run(case: Case) -> tuple[Scheduler, np.ndarray]:
    scheduler: Scheduler = getattr(schedulers, case.scheduler)(**case.options)
    scheduler.set_timesteps(case.steps)
    generator = np.random.Generator(np.random.PCG64(7))
    sample, samples = first_sample(), []
    for index, t in enumerate(scheduler.timesteps):
        output = model_output(case, index, sample)
        sample = scheduler.step(output, int(t), sample, generator=generator, **case.step_options).prev_sample
        samples.append(sample)
    return scheduler, np.stack([samples[index] for index in kept(len(samples))])


@pytest.mark.parametrize(("name", "steps"), GROUPS)
def test_runs_match_the_reference(name: str, steps: int) -> None:
    ours, golden = [], []
    with np.load(GOLDEN) as arrays:
        for case in cases():
            if (case.scheduler, case.steps) == (name, steps):
                scheduler, samples = run(case)
                assert scheduler.timesteps.tolist() == arrays[f"{case.name}/timesteps"].tolist(), case.name
                ours.append(samples)
                golden.append(arrays[f"{case.name}/samples"])
    assert_close(f"scheduler: {name}, {steps:4} steps", np.concatenate(ours), np.concatenate(golden), LIMIT)


def test_the_golden_file_holds_exactly_the_cases() -> None:
    with np.load(GOLDEN) as arrays:
        assert {name.rsplit("/", 1)[0] for name in arrays} == {case.name for case in cases()}


def test_results_are_float32_and_host_arrays() -> None:
    for case in cases():
        if case.steps == 25:
            assert run(case)[1].dtype == np.float32, case.name


def test_one_prior_step_gives_what_the_model_sees_in_pure_noise() -> None:
    """The reference divides by zero."""
    scheduler = UnCLIPScheduler(**KANDINSKY_PRIOR)
    scheduler.set_timesteps(1)
    assert scheduler.timesteps.tolist() == [999]
    generator = np.random.default_rng(3)
    output = np.full((1, 8), 0.5, np.float32)
    result = scheduler.step(output, 999, np.ones((1, 8), np.float32), generator=generator)
    np.testing.assert_allclose(result.prev_sample, output, atol=1e-6)
    assert generator.bit_generator.state == np.random.default_rng(3).bit_generator.state


def test_one_prior_step_works_with_a_learned_variance() -> None:
    scheduler = UnCLIPScheduler(variance_type="learned_range", prediction_type="sample", clip_sample=False)
    scheduler.set_timesteps(1)
    result = scheduler.step(np.ones((1, 8), np.float32), 999, np.ones((1, 4), np.float32))
    np.testing.assert_allclose(result.prev_sample, 1, atol=1e-6)


def test_as_many_steps_as_were_trained_stay_inside_the_table() -> None:
    """steps_offset=1 makes the reference read beyond its table."""
    scheduler = DDIMScheduler(**KANDINSKY)
    scheduler.set_timesteps(1000)
    assert scheduler.timesteps[0] == 999
    assert scheduler.timesteps[-1] == 0


def test_pred_original_sample_is_the_clipped_x0() -> None:
    scheduler = UnCLIPScheduler(**KANDINSKY_PRIOR)
    output = np.full((1, 4), 9, np.float32)
    assert scheduler.step(output, 999, np.zeros((1, 4), np.float32)).pred_original_sample.tolist() == [[5, 5, 5, 5]]


@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_impossible_step_counts_are_refused(steps: int) -> None:
    for scheduler in (UnCLIPScheduler(), DDIMScheduler(), DDPMScheduler()):
        with pytest.raises(ValueError, match=f"{steps} steps were asked for: give 1 to 1000"):
            scheduler.set_timesteps(steps)


@pytest.mark.parametrize(
    ("scheduler", "options", "message"),
    [
        (DDIMScheduler, {"beta_schedule": "sigmoid"}, "DDIMScheduler does not implement beta_schedule='sigmoid'"),
        (DDIMScheduler, {"trained_betas": [0.1]}, r"does not implement trained_betas=\[0.1\]"),
        (DDIMScheduler, {"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr=True"),
        (DDIMScheduler, {"timestep_spacing": "odd"}, "timestep_spacing='odd'"),
        (DDPMScheduler, {"variance_type": "fixed_large_log"}, "variance_type='fixed_large_log'"),
        (DDPMScheduler, {"skip_prk_steps": True}, "does not know the option skip_prk_steps=True"),
        (UnCLIPScheduler, {"prediction_type": "v_prediction"}, "UnCLIPScheduler does not implement prediction_type"),
        (UnCLIPScheduler, {"beta_schedule": "linear"}, "UnCLIPScheduler does not implement beta_schedule='linear'"),
        (UnCLIPScheduler, {"num_train_timesteps": 0}, "num_train_timesteps is 0"),
    ],
)
def test_options_that_are_not_implemented_are_refused_by_name(
    scheduler: type[Scheduler], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        scheduler.from_config(options)


def test_a_scheduler_can_be_made_of_anothers_config() -> None:
    ddim = DDIMScheduler.from_config({"_class_name": "DDIMScheduler", "_diffusers_version": "0.17.0", **KANDINSKY})
    ddpm = DDPMScheduler.from_config(ddim.config, variance_type="learned_range")
    assert ddpm.predicts_variance
    assert (ddpm.config.beta_end, ddpm.config["steps_offset"]) == (0.012, 1)
    back = DDIMScheduler.from_config(ddpm.config)
    assert back.config.set_alpha_to_one is False
    assert not back.predicts_variance
    assert dict(back.config)["variance_type"] == "learned_range"


def test_an_unknown_key_of_a_config_is_a_key_error() -> None:
    assert DDIMScheduler().config.get("nothing") is None
    with pytest.raises(KeyError):
        DDIMScheduler().config["nothing"]


def test_a_model_output_of_another_shape_is_refused() -> None:
    sample, double = np.zeros((1, 4, 2, 2), np.float32), np.zeros((1, 8, 2, 2), np.float32)
    with pytest.raises(ValueError, match=r"\(1, 8, 2, 2\)"):
        DDIMScheduler().step(double, 10, sample)
    with pytest.raises(ValueError, match="variance_type='learned_range' need"):
        DDPMScheduler(variance_type="learned_range").step(sample, 10, sample)


def test_a_timestep_outside_the_run_is_refused() -> None:
    scheduler = DDPMScheduler()
    scheduler.set_timesteps(10)
    sample = np.zeros((1, 4, 2, 2), np.float32)
    with pytest.raises(ValueError, match="timestep 3 is not one of this run's 10"):
        scheduler.step(sample, 3, sample)


def test_add_noise_uses_the_schedulers_own_betas() -> None:
    scheduler = DDIMScheduler(**KANDINSKY)
    original, noise = np.ones((2, 4, 1, 1), np.float32), np.full((2, 4, 1, 1), 2, np.float32)
    noisy = scheduler.add_noise(original, noise, [999, 0])
    alpha_bar = np.cumprod(1 - np.linspace(0.00085, 0.012, 1000))
    for sample, t in zip(noisy, (999, 0), strict=True):
        np.testing.assert_allclose(sample, np.sqrt(alpha_bar[t]) + 2 * np.sqrt(1 - alpha_bar[t]), rtol=1e-4)


def test_add_noise_takes_one_timestep_for_all_samples() -> None:
    scheduler = DDPMScheduler()
    original = np.ones((2, 4, 1, 1), np.float32)
    each = scheduler.add_noise(original, original, [500, 500])
    np.testing.assert_array_equal(scheduler.add_noise(original, original, 500), each)


def test_noise_of_several_generators_is_one_sample_each() -> None:
    noise = draw_noise((2, 3), [np.random.default_rng(1), np.random.default_rng(2)])
    np.testing.assert_array_equal(noise[1:], draw_noise((1, 3), np.random.default_rng(2)))
    with pytest.raises(ValueError, match="2 generators were given for a batch of 3"):
        draw_noise((3, 3), [np.random.default_rng(1), np.random.default_rng(2)])


def test_a_seed_is_no_generator() -> None:
    with pytest.raises(TypeError, match=r"generator is 7: give a numpy.random.default_rng\(seed\)"):
        draw_noise((3, 3), 7)  # type: ignore[arg-type]


def test_noise_needs_no_generator() -> None:
    assert not np.array_equal(draw_noise((1, 8), None), draw_noise((1, 8), None))
