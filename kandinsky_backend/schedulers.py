"""Schedulers: from pure noise to a sample, one step at a time. Pure functions of float32 arrays on the host.

Latents are small, so every device draws and steps here, and the same generator gives the same sample everywhere.
Tables and coefficients are computed in float32 as diffusers 0.39 (schedulers/scheduling_{unclip,ddim,ddpm}.py) does:
1 - alpha loses digits there, and golden files are compared to 1e-5.

Symbols are those of DDPM (Ho et al. 2020, arXiv 2006.11239) and DDIM (Song et al. 2020, arXiv 2010.02502): x_t is the
sample at timestep t, x_0 the finished one, alpha_bar the cumulative product of 1 - beta.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Timesteps = npt.NDArray[np.int64]
RandomGenerator = np.random.Generator | Sequence[np.random.Generator] | None

_ONE = np.float32(1)
_LEARNED = ("learned", "learned_range")

# Options of the reference that exist here at this one value only.
_FIXED_OPTIONS: dict[str, Any] = {"trained_betas": None, "rescale_betas_zero_snr": False}


@dataclass(frozen=True)
class SchedulerConfig(Mapping[str, Any]):
    """What a scheduler_config.json says; also a mapping, so that `X.from_config(y.config)` and `dict(config)` work.

    One class for all schedulers: an option that one of them has no use for is kept, so that making another scheduler
    of a config and going back loses nothing.
    """

    num_train_timesteps: int = 1000
    beta_schedule: str = "linear"
    beta_start: float = 0.0001
    beta_end: float = 0.02
    prediction_type: str = "epsilon"
    variance_type: str = "fixed_small"
    clip_sample: bool = True
    clip_sample_range: float = 1.0
    thresholding: bool = False
    dynamic_thresholding_ratio: float = 0.995
    sample_max_value: float = 1.0
    timestep_spacing: str = "leading"
    steps_offset: int = 0
    set_alpha_to_one: bool = True

    def __getitem__(self, key: str) -> Any:
        if key not in self:
            raise KeyError(key)
        return getattr(self, key)

    def __contains__(self, key: object) -> bool:
        return any(field.name == key for field in fields(self))

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in fields(self))

    def __len__(self) -> int:
        return len(fields(self))


@dataclass(frozen=True)
class SchedulerOutput:
    """One step's result: x_{t-1}, and the x_0 that the model is heading for; both of the sample's shape."""

    prev_sample: Array
    pred_original_sample: Array


_Self = TypeVar("_Self", bound="Scheduler")


class Scheduler(ABC):
    """What all schedulers share: the noise table, the timesteps and the model's prediction of x_0.

    Attributes:
        config: the options.
        timesteps: (n,) int64, falling; all of the training's until `set_timesteps`.
        alphas_cumprod: (num_train_timesteps,) float32.
        init_noise_sigma: standard deviation of the noise to start from.
    """

    implemented: ClassVar[dict[str, tuple[str, ...]]]
    defaults: ClassVar[SchedulerConfig] = SchedulerConfig()
    init_noise_sigma: ClassVar[float] = 1.0

    def __init__(self, **options: Any) -> None:
        """A scheduler of these options of a scheduler_config.json; those not given have the reference's defaults.

        Raises:
            ValueError: an option or a value is not implemented; the message names it.
        """
        self.config = self._read(options)
        self.betas = _betas(self.config)
        self.alphas_cumprod: Array = np.cumprod(_ONE - self.betas, dtype=np.float64).astype(np.float32)
        self.timesteps: Timesteps = np.arange(self.config.num_train_timesteps, dtype=np.int64)[::-1]

    @classmethod
    def from_config(cls: type[_Self], config: Mapping[str, Any], **changes: Any) -> _Self:
        """A scheduler of the options in `config`, which may be another scheduler's, with `changes` made to them.

        Raises:
            ValueError: an option or a value is not implemented; the message names it.
        """
        notes = {key for key in config if key.startswith("_")}  # which library wrote it, and when
        return cls(**{**{key: config[key] for key in config if key not in notes}, **changes})

    @classmethod
    def from_pretrained(
        cls: type[_Self], id_or_path: str | Path, subfolder: str = "", revision: str | None = None, **changes: Any
    ) -> _Self:
        """The scheduler of the scheduler_config.json in a folder or repository of the hub, with `changes` made to it.

        Raises:
            CheckpointError: there is no such file.
            ValueError: an option or a value is not implemented; the message names it.
        """
        from kandinsky_backend.checkpoint import scheduler_config  # takes MindSpore, which stepping does not need

        return cls.from_config(scheduler_config(id_or_path, subfolder, revision), **changes)

    @classmethod
    def _read(cls, options: Mapping[str, Any]) -> SchedulerConfig:
        for name, only in _FIXED_OPTIONS.items():
            if options.get(name, only) != only:
                raise ValueError(f"{cls.__name__} does not implement {name}={options[name]!r}: only {only!r}")
        unknown = sorted(set(options) - set(cls.defaults) - set(_FIXED_OPTIONS))
        if unknown:
            raise ValueError(f"{cls.__name__} does not know the option {unknown[0]}={options[unknown[0]]!r}")
        config = replace(cls.defaults, **{name: options[name] for name in options if name in cls.defaults})
        for name, choices in cls.implemented.items():
            if config[name] not in choices:
                raise ValueError(
                    f"{cls.__name__} does not implement {name}={config[name]!r}: only {', '.join(choices)}"
                )
        if config.num_train_timesteps < 1:
            raise ValueError(f"num_train_timesteps is {config.num_train_timesteps}: it must be at least 1")
        return config

    @property
    def predicts_variance(self) -> bool:
        """Whether `step` takes a model output of twice the sample's channels: the prediction, then the variance."""
        return False

    def set_timesteps(self, num_inference_steps: int) -> None:
        """Choose the timesteps of a run of `num_inference_steps` steps.

        Raises:
            ValueError: there are fewer than 1 or more than num_train_timesteps steps.
        """
        trained = self.config.num_train_timesteps
        if not 1 <= num_inference_steps <= trained:
            raise ValueError(f"{num_inference_steps} steps were asked for: give 1 to {trained}")
        self.timesteps = self._spaced(num_inference_steps)

    def _spaced(self, count: int) -> Timesteps:
        """Table 2 of arXiv 2305.08891. "trailing" may round to one step more."""
        trained = self.config.num_train_timesteps
        if self.config.timestep_spacing == "linspace":
            return np.linspace(0, trained - 1, count).round()[::-1].astype(np.int64)
        if self.config.timestep_spacing == "trailing":
            return np.round(np.arange(trained, 0, -trained / count)).astype(np.int64) - 1
        leading = np.arange(count, dtype=np.int64)[::-1] * (trained // count)
        # With as many steps as were trained, the reference's offset leaves the table: there it shrinks.
        return leading + min(self.config.steps_offset, trained - 1 - int(leading[0]))

    @abstractmethod
    def adds_noise(self, timestep: int) -> bool:
        """Whether the step from `timestep` draws noise from the generator, of the sample's shape."""

    @abstractmethod
    def step(
        self, model_output: Array, timestep: int, sample: Array, *, generator: RandomGenerator = None
    ) -> SchedulerOutput:
        """From x_t to x_{t-1}.

        Args:
            model_output: what the model says about `sample`; of its shape, or with twice its channels (axis 1) when
                `predicts_variance`.
            timestep: t, one of `timesteps`.
            sample: x_t, (B, channels, ...).
            generator: draws the noise where `adds_noise(timestep)`; None draws from a fresh one.

        Raises:
            ValueError: a shape does not fit, or the timestep is not one of `timesteps`.
        """

    def add_noise(self, original: Array, noise: Array, timesteps: npt.ArrayLike) -> Array:
        """x_t of x_0 = `original` (B, ...) and `noise` of its shape, at one timestep or one a sample (B,)."""
        t = np.asarray(timesteps, dtype=np.int64)
        alpha_bar = self.alphas_cumprod[t].reshape(-1, *[1] * (original.ndim - 1))
        return np.sqrt(alpha_bar) * original + np.sqrt(_ONE - alpha_bar) * noise

    def _predict(self, model_output: Array, sample: Array, alpha_bar: np.float32) -> tuple[Array, Array]:
        """x_0 (limited as the config says) and the noise in `sample` (not limited)."""
        scale, sigma = np.sqrt(alpha_bar), np.sqrt(_ONE - alpha_bar)
        if self.config.prediction_type == "epsilon":
            original, noise = (sample - sigma * model_output) / scale, model_output
        elif self.config.prediction_type == "sample":
            original, noise = model_output, (sample - scale * model_output) / sigma
        else:
            original, noise = scale * sample - sigma * model_output, scale * model_output + sigma * sample
        return self._limited(original), noise

    def _limited(self, original: Array) -> Array:
        if self.config.thresholding:
            return _dynamic_threshold(original, self.config.dynamic_thresholding_ratio, self.config.sample_max_value)
        if self.config.clip_sample:
            return original.clip(-self.config.clip_sample_range, self.config.clip_sample_range)
        return original


class _AncestralScheduler(Scheduler):
    """Steps by drawing from the posterior q(x_{t-1} | x_t, x_0), equations 6 and 7 of DDPM."""

    @property
    def predicts_variance(self) -> bool:
        return self.config.variance_type in _LEARNED

    def step(
        self, model_output: Array, timestep: int, sample: Array, *, generator: RandomGenerator = None
    ) -> SchedulerOutput:
        model_output, predicted_variance = self._split(model_output, sample)
        t, t_prev = timestep, self._previous(timestep)
        alpha_bar, alpha_bar_prev = self.alphas_cumprod[t], self._alpha_bar(t_prev)
        beta_bar, beta_bar_prev = _ONE - alpha_bar, _ONE - alpha_bar_prev
        beta, alpha = self._beta(t, t_prev)
        original, _ = self._predict(model_output, sample, alpha_bar)
        previous = np.sqrt(alpha_bar_prev) * beta / beta_bar * original
        previous = previous + np.sqrt(alpha) * beta_bar_prev / beta_bar * sample
        if self.adds_noise(t):
            deviation = self._deviation(beta_bar_prev / beta_bar * beta, beta, predicted_variance)
            previous = previous + deviation * draw_noise(sample.shape, generator)
        return SchedulerOutput(previous, original)

    def _split(self, model_output: Array, sample: Array) -> tuple[Array, Array | None]:
        channels = sample.shape[1]
        expected = (sample.shape[0], channels * 2 if self.predicts_variance else channels, *sample.shape[2:])
        if model_output.shape != expected:
            raise ValueError(
                f"the model output has shape {model_output.shape}; a sample of shape {sample.shape} and "
                f"variance_type={self.config.variance_type!r} need {expected}"
            )
        if self.predicts_variance:
            return model_output[:, :channels], model_output[:, channels:]
        return model_output, None

    def _previous(self, timestep: int) -> int:
        """The timestep after `timestep` in the run, or -1 at its end."""
        found = np.flatnonzero(self.timesteps == timestep)
        if not found.size:
            raise ValueError(f"timestep {timestep} is not one of this run's {len(self.timesteps)}")
        following = self.timesteps[found[0] + 1 :]
        return int(following[0]) if following.size else -1

    def _alpha_bar(self, timestep: int) -> np.float32:
        return _ONE if timestep < 0 else np.float32(self.alphas_cumprod[timestep])

    def _beta(self, t: int, t_prev: int) -> tuple[np.float32, np.float32]:
        """beta and alpha = 1 - beta of a step that may leave out some timesteps."""
        alpha = np.float32(self.alphas_cumprod[t] / self._alpha_bar(t_prev))
        return _ONE - alpha, alpha

    def _deviation(self, variance: np.float32, beta: np.float32, predicted: Array | None) -> Array | np.float32:
        """Standard deviation of the noise to add. `variance` is the posterior's for known x_0, a lower bound."""
        variance = max(variance, np.float32(1e-20))
        kind = self.config.variance_type
        if kind == "fixed_large":
            return np.sqrt(beta)
        if predicted is None:
            return np.exp(np.float32(0.5) * np.log(variance)) if kind == "fixed_small_log" else np.sqrt(variance)
        if kind == "learned":
            return np.sqrt(predicted)
        # learned_range, section 3 of Improved DDPM (arXiv 2102.09672): between the bounds, in logarithms
        share = (predicted + _ONE) / np.float32(2)
        return np.exp(np.float32(0.5) * (share * np.log(beta) + (_ONE - share) * np.log(variance)))


class DDPMScheduler(_AncestralScheduler):
    """Ancestral sampling of DDPM. Reference: diffusers, schedulers/scheduling_ddpm.py."""

    implemented: ClassVar = {
        "beta_schedule": ("linear", "scaled_linear", "squaredcos_cap_v2"),
        "prediction_type": ("epsilon", "sample", "v_prediction"),
        "variance_type": ("fixed_small", "fixed_small_log", "fixed_large", *_LEARNED),
        "timestep_spacing": ("leading", "trailing", "linspace"),
    }

    def adds_noise(self, timestep: int) -> bool:
        return timestep > 0


class UnCLIPScheduler(_AncestralScheduler):
    """DDPM as the image prior was trained with it. Reference: diffusers, schedulers/scheduling_unclip.py.

    Its timesteps reach from the last to 0, both included. A single step, which divides by zero in the reference,
    starts from the last: the answer to pure noise is the x_0 that the model sees in it.
    """

    implemented: ClassVar = {
        "beta_schedule": ("squaredcos_cap_v2",),
        "prediction_type": ("epsilon", "sample"),
        "variance_type": ("fixed_small_log", "learned_range"),
    }
    defaults: ClassVar = SchedulerConfig(beta_schedule="squaredcos_cap_v2", variance_type="fixed_small_log")

    def adds_noise(self, timestep: int) -> bool:
        return self._previous(timestep) >= 0

    def _spaced(self, count: int) -> Timesteps:
        last = self.config.num_train_timesteps - 1
        if count == 1:
            return np.array([last], dtype=np.int64)
        return (np.arange(count) * (last / (count - 1))).round()[::-1].astype(np.int64)

    def _beta(self, t: int, t_prev: int) -> tuple[np.float32, np.float32]:
        # Between neighbours the table's own value: 1 - ratio has lost digits, which shows at small t.
        beta = self.betas[t] if t_prev == t - 1 else super()._beta(t, t_prev)[0]
        return beta, _ONE - beta


class DDIMScheduler(Scheduler):
    """Deterministic steps of DDIM, or noisy ones with eta > 0. Reference: diffusers, schedulers/scheduling_ddim.py."""

    implemented: ClassVar = {
        "beta_schedule": ("linear", "scaled_linear", "squaredcos_cap_v2"),
        "prediction_type": ("epsilon", "sample", "v_prediction"),
        "timestep_spacing": ("leading", "trailing", "linspace"),
    }

    def adds_noise(self, timestep: int) -> bool:
        """Whether the step draws noise: never with eta = 0."""
        return False

    def step(
        self, model_output: Array, timestep: int, sample: Array, *, generator: RandomGenerator = None, eta: float = 0.0
    ) -> SchedulerOutput:
        """From x_t to x_{t-1}, equations 12 and 16 of DDIM; eta = 1 adds as much noise as DDPM does."""
        if model_output.shape != sample.shape:
            raise ValueError(f"the model output has shape {model_output.shape}, the sample {sample.shape}")
        alpha_bar, alpha_bar_prev = self.alphas_cumprod[timestep], self._alpha_bar_before(timestep)
        original, noise = self._predict(model_output, sample, alpha_bar)
        variance = (_ONE - alpha_bar_prev) / (_ONE - alpha_bar) * (_ONE - alpha_bar / alpha_bar_prev)
        deviation = np.float32(eta) * np.sqrt(variance)
        direction = np.sqrt(_ONE - alpha_bar_prev - deviation * deviation) * noise
        previous = np.sqrt(alpha_bar_prev) * original + direction
        if eta > 0:
            previous = previous + deviation * draw_noise(sample.shape, generator)
        return SchedulerOutput(previous, original)

    def _alpha_bar_before(self, timestep: int) -> np.float32:
        """Of the timestep one regular stride before, as the reference has it, whatever the spacing."""
        previous = timestep - self.config.num_train_timesteps // len(self.timesteps)
        if previous >= 0:
            return np.float32(self.alphas_cumprod[previous])
        return _ONE if self.config.set_alpha_to_one else np.float32(self.alphas_cumprod[0])


SCHEDULERS: dict[str, type[Scheduler]] = {
    kind.__name__: kind for kind in (UnCLIPScheduler, DDIMScheduler, DDPMScheduler)
}


def draw_noise(shape: tuple[int, ...], generator: RandomGenerator) -> Array:
    """Standard normal noise of `shape`, drawn in float64 and rounded, as mindone and our goldens draw it.

    With a list of generators each draws one sample of the batch.

    Raises:
        TypeError: the generator is none of numpy's.
        ValueError: there are not as many generators as samples.
    """
    if generator is None:
        generator = np.random.default_rng()
    if isinstance(generator, np.random.Generator):
        return generator.standard_normal(shape).astype(np.float32)
    if not isinstance(generator, list | tuple):
        raise TypeError(f"generator is {generator!r}: give a numpy.random.default_rng(seed), or a list of them")
    if len(generator) not in (1, shape[0]):
        raise ValueError(f"{len(generator)} generators were given for a batch of {shape[0]}: give one, or one each")
    if len(generator) == 1:
        return draw_noise(shape, generator[0])
    return np.concatenate([draw_noise((1, *shape[1:]), one) for one in generator])


def _betas(config: SchedulerConfig) -> Array:
    start, end, count = config.beta_start, config.beta_end, config.num_train_timesteps
    if config.beta_schedule == "linear":
        return _linspace(start, end, count)
    if config.beta_schedule == "scaled_linear":
        root = _linspace(math.sqrt(start), math.sqrt(end), count)
        return root * root
    # squaredcos_cap_v2, equation 17 of Improved DDPM (arXiv 2102.09672)
    alpha_bar = [math.cos((t / count + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(count + 1)]
    return np.array([min(1 - alpha_bar[t + 1] / alpha_bar[t], 0.999) for t in range(count)], np.float32)


def _linspace(start: float, end: float, count: int) -> Array:
    """Evenly spaced values with float32 steps, counted from the nearer end as torch does: the same to the last bit."""
    first, last = np.float32(start), np.float32(end)
    stride = float((last - first) / np.float32(max(1, count - 1)))
    index = np.arange(count)
    values = np.where(index < count // 2, first + stride * index, last - stride * (count - 1 - index))
    return values.astype(np.float32)


def _dynamic_threshold(original: Array, ratio: float, maximum: float) -> Array:
    """Pull each sample's saturated values inwards, section 2.3 of Imagen (arXiv 2205.11487)."""
    magnitudes = np.abs(original).reshape(len(original), -1)
    bound = np.quantile(magnitudes, ratio, axis=1).clip(1, max(1, maximum)).astype(np.float32)
    bound = bound.reshape(-1, *[1] * (original.ndim - 1))
    return original.clip(-bound, bound) / bound
