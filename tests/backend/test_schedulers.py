"""Schedulers against diffusers' (golden files), and what they promise beside its numbers."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kandinsky_backend import schedulers
from kandinsky_backend.schedulers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    Scheduler,
    UnCLIPScheduler,
    UniPCMultistepScheduler,
    draw_noise,
)
from kandinsky_backend.schedulers.samplers import SAMPLERS, sampler
from tests.golden.compare import assert_close
from tests.golden.scheduler_cases import (
    KANDINSKY,
    KANDINSKY_PRIOR,
    KANDINSKY_SOLVER,
    P_SAMPLER,
    SOLVERS,
    Case,
    cases,
    first_sample,
    kept,
    model_output,
)

MULTISTEP = (DPMSolverMultistepScheduler, UniPCMultistepScheduler)
GOLDEN = Path(__file__).parents[1] / "golden" / "schedulers.npz"
GROUPS = sorted({(case.scheduler, case.steps) for case in cases()})
LIMIT = 1e-5


def run(case: Case) -> tuple[Scheduler, np.ndarray]:
    scheduler: Scheduler = getattr(schedulers, case.scheduler)(**case.options)
    scheduler.set_timesteps(case.steps)
    generator = np.random.Generator(np.random.PCG64(7))
    sample, samples = first_sample(case), []
    for index, t in enumerate(scheduler.timesteps):
        output = model_output(case, index, sample)
        sample = scheduler.step(output, int(t), sample, generator=generator, **case.step_options).prev_sample
        samples.append(sample)
    return scheduler, np.stack([samples[index] for index in kept(len(samples))])


@pytest.mark.parametrize(("name", "steps"), GROUPS)
def test_runs_match_the_reference(name: str, steps: int) -> None:
    """The errors of the multistep solvers are relative to a run's largest value: 3 to 24, and 1,640 of a cosine's."""
    ours, golden = [], []
    with np.load(GOLDEN) as arrays:
        for case in cases():
            if (case.scheduler, case.steps) == (name, steps):
                scheduler, samples = run(case)
                assert samples.shape == arrays[f"{case.name}/samples"].shape
                assert scheduler.timesteps.tolist() == arrays[f"{case.name}/timesteps"].tolist(), case.name
                scale = np.abs(arrays[f"{case.name}/samples"]).max() if name in SOLVERS else 1
                ours.append(samples.ravel() / scale)
                golden.append(arrays[f"{case.name}/samples"].ravel() / scale)
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


def finished(scheduler: Scheduler, steps: int) -> np.ndarray:
    """The last sample of a run in which the model always sees the same x_0."""
    scheduler.set_timesteps(steps)
    sample, original = np.full((1, 4, 2, 2), 1.5, np.float32), np.float32(0.25)
    for t in map(int, scheduler.timesteps):
        sample = scheduler.step(np.full_like(sample, original), t, sample).prev_sample
    return sample


@pytest.mark.parametrize("karras", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 15, 999, 1000])
@pytest.mark.parametrize("kind", MULTISTEP)
def test_a_model_that_is_sure_is_followed_to_the_end(kind: type[Scheduler], steps: int, karras: bool) -> None:
    """With as many steps as were trained, two are at one level of noise: the reference divides by their distance."""
    scheduler = kind(prediction_type="sample", use_karras_sigmas=karras)
    np.testing.assert_allclose(finished(scheduler, steps), 0.25, atol=1e-6)


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("kind", MULTISTEP)
def test_the_timesteps_of_multistep_solvers_stay_inside_the_table(kind: type[Scheduler], spacing: str) -> None:
    """steps_offset=1 makes the reference read beyond its table with 999 steps, and stand still with 1000."""
    for steps in (1, 500, 999, 1000):
        scheduler = kind(**{**KANDINSKY_SOLVER, "timestep_spacing": spacing})
        scheduler.set_timesteps(steps)
        assert len(scheduler.timesteps) == steps
        assert 0 <= scheduler.timesteps[-1] <= scheduler.timesteps[0] <= 999
        assert (np.diff(scheduler.timesteps) <= 0).all()


@pytest.mark.parametrize("options", [{"lower_order_final": False}, {"solver_type": "bh1"}, {"solver_type": "heun"}])
@pytest.mark.parametrize("kind", MULTISTEP)
def test_the_last_step_to_no_noise_gives_numbers_whatever_the_solver(
    kind: type[Scheduler], options: dict[str, Any]
) -> None:
    """UniPC of the reference gives none in two of these."""
    np.testing.assert_allclose(finished(kind(prediction_type="sample", **options), 4), 0.25, atol=1e-6)


def test_the_second_order_is_nearer_to_the_end_of_the_curve() -> None:
    """x_0 of a mixture of two points: 20 steps of order 2 are nearer to 999 steps than 20 of order 1."""
    ends = {}
    for kind in MULTISTEP:
        for order, steps in ((1, 20), (2, 20), (2, 999)):
            scheduler = kind(**KANDINSKY_SOLVER, prediction_type="sample", solver_order=order)
            scheduler.set_timesteps(steps)
            sample = np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 1, 4, 4)
            for t in map(int, scheduler.timesteps):
                alpha_bar = scheduler.alphas_cumprod[t]
                seen = np.tanh(np.sqrt(alpha_bar) / (1 - alpha_bar + 0.1) * sample)
                sample = scheduler.step(seen, t, sample).prev_sample
            ends[kind, order, steps] = sample
        first, second = (np.abs(ends[kind, order, 20] - ends[kind, 2, 999]).max() for order in (1, 2))
        assert second < first / 2, kind


@pytest.mark.parametrize("kind", MULTISTEP)
def test_steps_of_a_multistep_solver_are_taken_in_order(kind: type[Scheduler]) -> None:
    scheduler, sample = kind(), np.zeros((1, 4, 2, 2), np.float32)
    scheduler.set_timesteps(3)
    with pytest.raises(ValueError, match="timestep 5 is not one of this run's 3"):
        scheduler.step(sample, 5, sample)
    scheduler.step(sample, 666, sample)  # a run may begin in its midst
    with pytest.raises(ValueError, match="timestep 999 is not the run's next, 333"):
        scheduler.step(sample, 999, sample)
    scheduler.step(sample, 333, sample)
    with pytest.raises(ValueError, match="the run is over: set_timesteps begins another"):
        scheduler.step(sample, 999, sample)


@pytest.mark.parametrize("kind", MULTISTEP)
def test_a_copy_of_a_multistep_solver_remembers_for_itself(kind: type[Scheduler]) -> None:
    def follow(scheduler: Scheduler, sample: np.ndarray, timesteps: list[int]) -> np.ndarray:
        for t in timesteps:
            sample = scheduler.step(np.float32(t / 1000) * sample, t, sample).prev_sample
        return sample

    scheduler = kind()
    scheduler.set_timesteps(6)
    timesteps, start = scheduler.timesteps.tolist(), np.ones((1, 4, 2, 2), np.float32)
    midst = follow(scheduler, start, timesteps[:3])
    copied = copy.copy(scheduler)
    follow(copied, -midst, timesteps[3:])
    alone = follow(scheduler, midst, timesteps[3:])
    scheduler.set_timesteps(6)
    np.testing.assert_array_equal(follow(scheduler, start, timesteps), alone)


def test_noise_at_a_timestep_of_karras_is_as_much_as_its_step_takes_away() -> None:
    scheduler = DPMSolverMultistepScheduler(**KANDINSKY_SOLVER, use_karras_sigmas=True)
    scheduler.set_timesteps(8)
    original, noise = np.full((1, 4, 2, 2), 0.5, np.float32), np.full((1, 4, 2, 2), -2, np.float32)
    for t in map(int, scheduler.timesteps):
        scheduler.set_timesteps(8)
        noisy = scheduler.add_noise(original, noise, t)
        result = scheduler.step(noise, t, noisy)
        np.testing.assert_allclose(result.pred_original_sample, original, atol=1e-4)
    between = DDIMScheduler(**KANDINSKY).add_noise(original, noise, 500)
    np.testing.assert_allclose(scheduler.add_noise(original, noise, [500]), between, rtol=1e-6)


def test_a_learned_variance_is_dropped_by_dpm_solver() -> None:
    plain, learned = (DPMSolverMultistepScheduler(variance_type=kind) for kind in (None, "learned_range"))
    output, sample = np.ones((1, 8, 2, 2), np.float32), np.ones((1, 4, 2, 2), np.float32)
    assert (plain.predicts_variance, learned.predicts_variance) == (False, True)
    np.testing.assert_array_equal(
        learned.step(output, 999, sample).prev_sample, plain.step(output[:, :4], 999, sample).prev_sample
    )


def test_a_sampler_is_made_of_the_checkpoints_scheduler() -> None:
    own = DDIMScheduler(**{**KANDINSKY, "timestep_spacing": "leading"})
    assert sampler("own", own) is own
    assert sampler("ddim", own) is own
    kinds = {name: sampler(name, own) for name in SAMPLERS}
    assert kinds["p_sampler"].config.given >= set(P_SAMPLER)
    assert {name: kinds["p_sampler"].config[name] for name in P_SAMPLER} == P_SAMPLER
    for name in ("dpm++", "dpm++_karras", "unipc"):
        config = kinds[name].config
        assert (config.beta_end, config.timestep_spacing, config.use_karras_sigmas) == (
            0.012,
            "linspace",
            name == "dpm++_karras",
        )
    with pytest.raises(ValueError, match="there is no sampler 'euler': only own, ddim, p_sampler"):
        sampler("euler", own)


def test_p_sampler_starts_at_the_last_timestep_and_draws_until_the_first() -> None:
    """As the original Kandinsky 2.1 spaces them; a single step is at 0 there too."""
    scheduler = DDPMScheduler(**P_SAMPLER)
    scheduler.set_timesteps(10)
    assert scheduler.timesteps.tolist() == [999, 888, 777, 666, 555, 444, 333, 222, 111, 0]
    assert [scheduler.adds_noise(t) for t in (999, 111, 0)] == [True, True, False]


@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_impossible_step_counts_are_refused(steps: int) -> None:
    for scheduler in (UnCLIPScheduler(), DDIMScheduler(), DDPMScheduler(), *(kind() for kind in MULTISTEP)):
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
        (DDIMScheduler, {"num_train_timesteps": 10**12}, "it must be a whole number from 1 to 1000000"),
        (DDIMScheduler, {"num_train_timesteps": "1000"}, "num_train_timesteps is '1000'"),
        (DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}, "algorithm_type='sde-dpmsolver\\+\\+'"),
        (DPMSolverMultistepScheduler, {"solver_order": 3}, "does not implement solver_order=3: only 1, 2"),
        (DPMSolverMultistepScheduler, {"solver_type": "odd"}, "solver_type='odd': only midpoint, heun"),
        (DPMSolverMultistepScheduler, {"final_sigmas_type": "one"}, "final_sigmas_type='one'"),
        (DPMSolverMultistepScheduler, {"prediction_type": "flow_prediction"}, "prediction_type='flow_prediction'"),
        (DPMSolverMultistepScheduler, {"use_lu_lambdas": True}, "use_lu_lambdas=True"),
        (DPMSolverMultistepScheduler, {"lambda_min_clipped": -5.1}, "lambda_min_clipped=-5.1"),
        (UniPCMultistepScheduler, {"use_beta_sigmas": True}, "use_beta_sigmas=True"),
        (UniPCMultistepScheduler, {"use_flow_sigmas": True}, "use_flow_sigmas=True"),
        (UniPCMultistepScheduler, {"predict_x0": False}, "predict_x0=False"),
        (UniPCMultistepScheduler, {"disable_corrector": [0]}, r"disable_corrector=\[0\]"),
        (UniPCMultistepScheduler, {"solver_order": 4}, "does not implement solver_order=4: only 1, 2, 3"),
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


def test_defaults_do_not_travel_to_another_scheduler() -> None:
    """As in the reference: what a file leaves out is the default of the scheduler that reads it."""
    ddim = DDIMScheduler.from_config(KANDINSKY)
    assert ddim.config.timestep_spacing == "leading"
    for kind in MULTISTEP:
        assert kind.from_config(ddim.config).config.timestep_spacing == "linspace"
        said = DDIMScheduler.from_config({**KANDINSKY, "timestep_spacing": "leading"})
        solver = kind.from_config(said.config, use_karras_sigmas=True)
        assert (solver.config.timestep_spacing, solver.config.steps_offset) == ("leading", 1)
        back = DDIMScheduler.from_config(solver.config)
        assert {name: back.config[name] for name in said.config.given} == {**KANDINSKY, "timestep_spacing": "leading"}
        assert back.config.use_karras_sigmas


def test_a_solver_type_of_another_solver_stands_for_the_default() -> None:
    heun = DPMSolverMultistepScheduler(solver_type="heun", algorithm_type="dpmsolver++")
    assert UniPCMultistepScheduler.from_config(heun.config).config.solver_type == "bh2"
    bh1 = UniPCMultistepScheduler(solver_type="bh1")
    assert DPMSolverMultistepScheduler.from_config(bh1.config).config.solver_type == "midpoint"


@pytest.mark.parametrize("kind", MULTISTEP)
def test_a_file_that_the_reference_wrote_is_read(kind: type[Scheduler]) -> None:
    written = (GOLDEN.parent / "scheduler_configs.json").read_text()
    scheduler = kind.from_config(json.loads(written)[kind.__name__])
    assert scheduler.config == kind().config


def test_an_unknown_key_of_a_config_is_a_key_error() -> None:
    assert DDIMScheduler().config.get("nothing") is None
    with pytest.raises(KeyError):
        DDIMScheduler().config["nothing"]


def test_a_model_output_of_another_shape_is_refused() -> None:
    sample, double = np.zeros((1, 4, 2, 2), np.float32), np.zeros((1, 8, 2, 2), np.float32)
    with pytest.raises(ValueError, match=r"\(1, 8, 2, 2\)"):
        DDIMScheduler().step(double, 10, sample)
    with pytest.raises(ValueError, match=r"needs \(1, 8, 2, 2\) with variance_type='learned_range'"):
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
