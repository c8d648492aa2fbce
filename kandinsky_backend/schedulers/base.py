"""Shared parts of all schedulers: options, noise tables, timesteps, and the noise that is drawn."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Timesteps = npt.NDArray[np.int64]
RandomGenerator = np.random.Generator | Sequence[np.random.Generator] | None

ONE = np.float32(1)
LEARNED = ("learned", "learned_range")

# Options of the reference that exist here at this one value only.
_FIXED_OPTIONS: dict[str, Any] = {
    "trained_betas": None,
    "rescale_betas_zero_snr": False,
    # of the multistep solvers
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_lu_lambdas": False,
    "use_flow_sigmas": False,
    "flow_shift": 1.0,
    "use_dynamic_shifting": False,
    "time_shift_type": "exponential",
    "shift_terminal": None,
    "lambda_min_clipped": -math.inf,
    "sigma_min": None,
    "sigma_max": None,
    "predict_x0": True,
    "disable_corrector": [],
    "solver_p": None,
}


_MAX_TRAIN_TIMESTEPS = 1_000_000  # published models have 1000; tables of as many numbers are made


@dataclass(frozen=True)
class SchedulerConfig(Mapping[str, Any]):
    """The options of a scheduler_config.json; also a mapping, for `X.from_config(y.config)` and `dict(config)`.

    One class for all schedulers: an option that one of them has no use for is kept, so that making another scheduler
    of a config and going back loses nothing. `given` are the options that were not left to a scheduler's default: only
    these go into another scheduler, which has defaults of its own.
    """

    num_train_timesteps: int = 1000
    beta_schedule: str = "linear"
    beta_start: float = 0.0001
    beta_end: float = 0.02
    prediction_type: str = "epsilon"
    variance_type: str | None = "fixed_small"
    clip_sample: bool = True
    clip_sample_range: float = 1.0
    thresholding: bool = False
    dynamic_thresholding_ratio: float = 0.995
    sample_max_value: float = 1.0
    timestep_spacing: str = "leading"
    steps_offset: int = 0
    set_alpha_to_one: bool = True
    algorithm_type: str = "dpmsolver++"
    solver_order: int = 2
    solver_type: str = "midpoint"
    lower_order_final: bool = True
    euler_at_final: bool = False
    final_sigmas_type: str = "zero"
    use_karras_sigmas: bool = False
    given: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def __getitem__(self, key: str) -> Any:
        if key not in self:
            raise KeyError(key)
        return getattr(self, key)

    def __contains__(self, key: object) -> bool:
        return any(name == key for name in self)

    def __iter__(self) -> Iterator[str]:
        return (option.name for option in fields(self) if option.name != "given")

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True)
class SchedulerOutput:
    """One step's result: x_{t-1}, and the x_0 that the model is heading for; both of the sample's shape."""

    prev_sample: Array
    pred_original_sample: Array


_Self = TypeVar("_Self", bound="Scheduler")


class Scheduler(ABC):
    """Base of all schedulers: the noise table, the timesteps and the model's prediction of x_0.

    Attributes:
        config: the options.
        timesteps: (n,) int64, falling; all of the training's until `set_timesteps`.
        alphas_cumprod: (num_train_timesteps,) float32.
        init_noise_sigma: standard deviation of the noise to start from.
    """

    implemented: ClassVar[Mapping[str, tuple[Any, ...]]]
    aliases: ClassVar[Mapping[str, Mapping[Any, Any]]] = {}  # values that the reference takes for others, by option
    defaults: ClassVar[SchedulerConfig] = SchedulerConfig()
    init_noise_sigma: ClassVar[float] = 1.0

    def __init__(self, **options: Any) -> None:
        """A scheduler of these options of a scheduler_config.json; those not given have the reference's defaults.

        Raises:
            ValueError: an option or a value is not implemented; the message names it.
        """
        self.config = self._read(options)
        self.betas = _betas(self.config)
        self.alphas_cumprod: Array = np.cumprod(ONE - self.betas, dtype=np.float64).astype(np.float32)
        self.timesteps: Timesteps = np.arange(self.config.num_train_timesteps, dtype=np.int64)[::-1]

    @classmethod
    def from_config(cls: type[_Self], config: Mapping[str, Any], **changes: Any) -> _Self:
        """A scheduler of the options in `config`, which may be another scheduler's, with `changes` made to them.

        Raises:
            ValueError: an option or a value is not implemented; the message names it.
        """
        names = config.given if isinstance(config, SchedulerConfig) else config
        # Keys that start with _ say which library wrote the file, and when.
        return cls(**{**{name: config[name] for name in names if not name.startswith("_")}, **changes})

    @classmethod
    def from_pretrained(
        cls: type[_Self],
        id_or_path: str | Path,
        subfolder: str | None = None,
        revision: str | None = None,
        *,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool | None = False,
        token: bool | str | None = None,
        **changes: Any,
    ) -> _Self:
        """The scheduler of the scheduler_config.json in a folder or repository of the hub, with `changes` made to it.

        The other parameters are those of Pipeline.from_pretrained.

        Raises:
            CheckpointError: there is no such file.
            ValueError: an option or a value is not implemented; the message names it.
        """
        from kandinsky_backend.checkpoint import one_config  # takes MindSpore, which stepping does not need

        name = f"{subfolder}/scheduler_config.json" if subfolder else "scheduler_config.json"
        config = one_config(
            id_or_path,
            name,
            revision=revision,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=bool(local_files_only),
            token=token,
        )
        return cls.from_config(config, **changes)

    @classmethod
    def _read(cls, options: Mapping[str, Any]) -> SchedulerConfig:
        for name, only in _FIXED_OPTIONS.items():
            if options.get(name, only) != only:
                raise ValueError(f"{cls.__name__} does not implement {name}={options[name]!r}: only {only!r}")
        unknown = sorted(set(options) - set(cls.defaults) - set(_FIXED_OPTIONS))
        if unknown:
            raise ValueError(f"{cls.__name__} does not know the option {unknown[0]}={options[unknown[0]]!r}")
        known = {name: _aliased(cls.aliases, name, options[name]) for name in options if name in cls.defaults}
        config = replace(cls.defaults, **known, given=frozenset(known))
        for name, choices in cls.implemented.items():
            if config[name] not in choices:
                raise ValueError(
                    f"{cls.__name__} does not implement {name}={config[name]!r}: only {', '.join(map(str, choices))}"
                )
        timesteps: object = config.num_train_timesteps  # whatever a file says
        if not isinstance(timesteps, int) or not 1 <= timesteps <= _MAX_TRAIN_TIMESTEPS:
            raise ValueError(
                f"num_train_timesteps is {timesteps!r}: it must be a whole number from 1 to {_MAX_TRAIN_TIMESTEPS}"
            )
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
        return np.sqrt(alpha_bar) * original + np.sqrt(ONE - alpha_bar) * noise

    def signal_rate(self, timestep: int) -> float:
        """The factor of x_0 in x_t, the root of alpha bar."""
        return math.sqrt(self.alphas_cumprod[timestep])

    def _split(self, model_output: Array, sample: Array) -> tuple[Array, Array | None]:
        """The model's prediction and, where it `predicts_variance`, the variance; both of the sample's shape."""
        channels = sample.shape[1]
        expected = (sample.shape[0], channels * 2 if self.predicts_variance else channels, *sample.shape[2:])
        if model_output.shape != expected:
            learned = f" with variance_type={self.config.variance_type!r}" if self.predicts_variance else ""
            raise ValueError(
                f"the model output has shape {model_output.shape}; a sample of shape {sample.shape} needs "
                f"{expected}{learned}"
            )
        if self.predicts_variance:
            return model_output[:, :channels], model_output[:, channels:]
        return model_output, None

    def _predict(
        self, model_output: Array, sample: Array, alpha: float | np.float32, sigma: float | np.float32
    ) -> tuple[Array, Array]:
        """x_0 (limited as the config says) and the noise in `sample` = alpha * x_0 + sigma * noise (not limited)."""
        if self.config.prediction_type == "epsilon":
            original, noise = (sample - sigma * model_output) / alpha, model_output
        elif self.config.prediction_type == "sample":
            original, noise = model_output, (sample - alpha * model_output) / sigma
        else:
            original, noise = alpha * sample - sigma * model_output, alpha * model_output + sigma * sample
        return self._limited(original), noise

    def _limited(self, original: Array) -> Array:
        if self.config.clip_sample and not self.config.thresholding:
            return original.clip(-self.config.clip_sample_range, self.config.clip_sample_range)
        return self._thresholded(original)

    def _thresholded(self, original: Array) -> Array:
        if not self.config.thresholding:
            return original
        return _dynamic_threshold(original, self.config.dynamic_thresholding_ratio, self.config.sample_max_value)


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


def _aliased(aliases: Mapping[str, Mapping[Any, Any]], name: str, value: Any) -> Any:
    """`value` of the option `name`, or what it stands for."""
    named = aliases.get(name)
    return named.get(value, value) if named else value


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
