"""The base of all pipelines: finding, loading, converting and saving a checkpoint's parts, and the scheduler."""

from __future__ import annotations

import copy
from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn

from kandinsky_backend import device
from kandinsky_backend.checkpoint import Checkpoint, resolve
from kandinsky_backend.device import compute_dtype, is_device
from kandinsky_backend.errors import BackendError, CheckpointBroken, DeviceError
from kandinsky_backend.ops import packed_bytes, plans_compute, weighing
from kandinsky_backend.pipelines import saving
from kandinsky_backend.pipelines.checks import check_is_whole
from kandinsky_backend.pipelines.script_names import ScriptNames, log, say_once
from kandinsky_backend.residency import Residency, Resident, shared_residency
from kandinsky_backend.sampling import Array, Step, Steps
from kandinsky_backend.schedulers import SCHEDULERS, Scheduler

_Pipeline = TypeVar("_Pipeline", bound="Pipeline")

WORTH_FORESEEING = 2**26  # bytes of a model: what plans add to a smaller one is less than an estimate is wrong by


@dataclass(frozen=True)
class ModelFiles:
    """The classes and options that make a model of a component's folder."""

    model: type[nn.Cell]  # made with (config, weights)
    config: Any  # its config class
    ignore: frozenset[str] = frozenset()
    renames: Mapping[str, str] | None = None


class Part(NamedTuple):
    """A model of a pipeline: its config is known at once, its weights are read when it is first used."""

    config: Any
    resident: Resident[nn.Cell]
    dtype: ms.Type = ms.float32  # in which it computes
    stored: StoredModel | None = None  # None: the model was given, and is in no file

    @classmethod
    def of(cls, model: nn.Cell | Part) -> Part:
        """`model` itself if it is a Part, else a Part that always holds it."""
        if isinstance(model, Part):
            return model
        return cls(model.config, Residency().add(type(model).__name__, 0, lambda: model), dtype_of(model))

    def converted(self, name: str, dtype: ms.Type) -> Part:
        """The same model, to be read in `dtype`; what is in memory of this one is dropped.

        Raises:
            DeviceError: there is no file to read it from.
        """
        if dtype == self.dtype:
            return self
        if self.stored is None:
            raise DeviceError(
                "the {name} was given to the pipeline as a model: make it in {precision} instead of converting it",
                "given-model",
                name=name,
                precision=device.name_of(dtype),
            )
        self.resident.drop()
        return self.stored.part(dtype)

    def foresee(self, rehearse: Callable[[Any], None]) -> None:
        """Count with the weights as plans will hold them, which `rehearse` calls for, before the model is loaded.

        Raises:
            CheckpointError: its files are not what they must be.
        """
        is_worth_it = self.resident.nbytes >= WORTH_FORESEEING and plans_compute(self.dtype)
        if self.stored is not None and is_worth_it and not self.resident.loaded:
            with weighing() as weights:
                rehearse(self.stored.load(self.config, self.dtype))
            self.resident.expect(weights.nbytes)


@dataclass(frozen=True)
class StoredModel:
    """A model in the files of a checkpoint."""

    checkpoint: Checkpoint
    name: str  # the component's
    files: ModelFiles
    residency: Residency

    def part(self, dtype: ms.Type) -> Part:
        """The model in `dtype`; its config is read now.

        Raises:
            CheckpointError: the config is not what it must be, or the weights are not there.
        """
        checkpoint, name = self.checkpoint, self.name
        with _config_errors(checkpoint, name):
            config = self.files.config.from_dict(checkpoint.config(name))

        size, load = checkpoint.bytes_of(name, dtype), partial(self.load, config, dtype)
        resident = self.residency.add(f"{checkpoint.source}: {name}", size, load, packed_bytes)
        return Part(config, resident, dtype, self)

    def load(self, config: Any, dtype: ms.Type) -> nn.Cell:
        """The model in `dtype`. What plans multiply by stays in its file until they are made.

        Raises:
            CheckpointError: the files are not what they must be.
        """
        weights = self.checkpoint.weights(self.name, dtype, self.files.ignore, self.files.renames)
        with _config_errors(self.checkpoint, self.name):
            model = self.files.model(config, weights)
            weights.finish()
        return model


class Pipeline(ScriptNames, ABC):
    """A pipeline: models that are loaded when they are used, and a scheduler. Subclasses name its components.

    Attributes:
        scheduler: may be replaced: `pipeline.scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)`.
        checkpoint: what from_pretrained found; None for a pipeline that was put together by hand.
    """

    _models: ClassVar[Mapping[str, ModelFiles]]
    _others: ClassVar[Mapping[str, Callable[[Checkpoint, str], Any]]]  # made of the folder of that name

    def __init__(self, scheduler: Scheduler, **models: nn.Cell | Part) -> None:
        self.scheduler = scheduler
        self._parts = {name: Part.of(model) for name, model in models.items()}
        self.checkpoint: Checkpoint | None = None
        self._progress_bar_options: dict[str, Any] = {}

    @classmethod
    def from_pretrained(
        cls: type[_Pipeline],
        pretrained_model_name_or_path: str | Path,
        *,
        mindspore_dtype: ms.Type | None = None,
        torch_dtype: Any = None,
        use_safetensors: bool | None = True,
        variant: str | None = None,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool | None = False,
        token: bool | str | None = None,
        residency: Residency | None = None,
        **components: Any,
    ) -> _Pipeline:
        """Make the pipeline of a checkpoint: its files are found now, each model is read when it is first used.

        Args:
            pretrained_model_name_or_path: a folder or a hub id.
            mindspore_dtype: precision to compute in, where the device can (device.compute_dtype); None: float32.
            torch_dtype: the same, as scripts for diffusers call it.
            variant: of the weight files, e.g. "fp16"; and the rest: see checkpoint.resolve.
            residency: keeps the models within a memory budget; None: one for all pipelines of the process.
            components: to use instead of the checkpoint's, e.g. `scheduler=`. What is none is ignored with a warning,
                as in the reference.

        Raises:
            CheckpointError: the files are not there, not what they must be, or hold a value that is not implemented.
            DeviceError: `mindspore_dtype` is no precision.
        """
        names = cls.component_names()
        components = _known(components, names, f"{cls.__name__}.from_pretrained")
        checkpoint = resolve(
            pretrained_model_name_or_path,
            variant=variant,
            revision=revision,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=bool(local_files_only),
            token=token,
            use_safetensors=use_safetensors,
            components=[name for name in names if name not in components],
        )
        device.prepare()
        dtype = device.compute_dtype(mindspore_dtype or torch_dtype)
        residency = residency or shared_residency()
        for name in set(cls._models) - set(components):
            components[name] = StoredModel(checkpoint, name, cls._models[name], residency).part(dtype)
        for name in set(cls._others) - set(components):
            with _config_errors(checkpoint, name):
                components[name] = cls._others[name](checkpoint, name)
        pipeline = cls(**components)
        pipeline.checkpoint = checkpoint
        return pipeline

    @classmethod
    def fetch(cls, pretrained_model_name_or_path: str | Path) -> None:
        """Download what from_pretrained would of a repository of the hub; hub.current_transfer tells how far it is.

        Raises:
            CheckpointError: as of from_pretrained.
        """
        resolve(pretrained_model_name_or_path, components=cls.component_names())

    @classmethod
    def component_names(cls) -> list[str]:
        """The names of all components: models first, then tokenizer, scheduler and the like."""
        return [*cls._models, *cls._others]

    @classmethod
    def from_pipe(cls: type[_Pipeline], pipeline: Pipeline, **components: Any) -> _Pipeline:
        """A pipeline of this class that shares the components of another; `components` replace some.

        Raises:
            ValueError: a component is missing.
        """
        names = cls.component_names()
        given = {name: value for name, value in pipeline.components.items() if name in names}
        given |= _known(components, names, f"{cls.__name__}.from_pipe")
        missing = [name for name in names if name not in given]
        if missing:
            raise ValueError(f"{type(pipeline).__name__} has no {', '.join(missing)}: give what {cls.__name__} needs")
        made = cls(**given)
        made.checkpoint = pipeline.checkpoint
        return made

    @property
    def components(self) -> dict[str, Any]:
        """All components: `KandinskyPipeline(**pipeline.components)` is another pipeline that shares them."""
        return {**self._parts, **{name: getattr(self, name) for name in self._others}}

    @property
    def config(self) -> dict[str, Any]:
        """What model_index.json says of the pipeline: its class, and library and class of each component."""
        return saving.model_index(type(self).__name__, self._models, self.components)

    @property
    def name_or_path(self) -> str | None:
        """The folder or hub id that from_pretrained was given."""
        return None if self.checkpoint is None else self.checkpoint.source

    @property
    def dtype(self) -> ms.Type:
        """The precision in which the models compute."""
        return next(iter(self._parts.values())).dtype

    def to(
        self: _Pipeline, *targets: Any, dtype: Any = None, device: Any = None, silence_dtype_warnings: bool = False
    ) -> _Pipeline:
        """This pipeline, from now on in another precision, where the device can compute in it.

        Args:
            targets: a precision, a device's name, or both. The device stays: one is chosen for the whole process, with
                `mindspore.set_device`, before anything is computed.
            dtype, device: the same by name.

        Raises:
            DeviceError: there is no such precision or device, or a model was given as one and is in another precision.
        """
        for target in filter(None, (*targets, dtype, device)):
            if is_device(target):
                _stay_at(target)
                continue
            wanted = compute_dtype(target)
            self._parts = {name: part.converted(name, wanted) for name, part in self._parts.items()}
        return self

    def save_pretrained(
        self,
        save_directory: str | Path,
        safe_serialization: bool = True,
        variant: str | None = None,
        push_to_hub: bool = False,
    ) -> None:
        """Write the pipeline into a folder, which from_pretrained reads, that of diffusers and mindone too.

        The weights are copied as they are in the checkpoint's files, whatever precision they are computed in.

        Args:
            save_directory: is made where it is not there.
            safe_serialization: must be true: no pickles are written.
            variant: to stand in the names of the files of weights, e.g. "fp16".
            push_to_hub: must be false.

        Raises:
            ValueError: a parameter asks for what is not done here.
            CheckpointError: a model was given as one and is in no file, or the folder is the checkpoint's own.
        """
        if not safe_serialization:
            raise ValueError("safe_serialization is False: pickles are neither read nor written")
        if push_to_hub:
            raise ValueError("push_to_hub is True: upload the saved folder with `hf upload`")
        saving.save(Path(save_directory), self.config, self.components, variant)

    def with_scheduler(self: _Pipeline, scheduler: Scheduler) -> _Pipeline:
        """The same pipeline with another scheduler; they share their models."""
        other = copy.copy(self)
        other.scheduler = scheduler
        return other

    def step_count(self, num_inference_steps: int) -> int:
        """The number of steps that a run of `num_inference_steps` takes: some schedulers round to one more.

        Raises:
            ValueError: the scheduler has no such run.
        """
        return len(self._scheduler_for(num_inference_steps).timesteps)

    def _get(self, name: str) -> Any:
        """A model, read now if it is not in memory."""
        return self._parts[name].resident.get()

    def _config(self, name: str) -> Any:
        return self._parts[name].config

    def _scheduler_for(self, num_inference_steps: int) -> Scheduler:
        """A copy of the scheduler with its timesteps set: two runs at a time do not disturb each other."""
        check_is_whole("num_inference_steps", num_inference_steps)
        scheduler = copy.copy(self.scheduler)
        scheduler.set_timesteps(num_inference_steps)
        return scheduler

    def _finish(self, steps: Steps, count: int, on_step: Callable[[Step], None] = lambda _: None) -> Array:
        """Run to the end under a progress bar: the latents of the last step."""
        with self.progress_bar(total=count) as bar:
            for step in steps:
                bar.update()
                on_step(step)
        return step.latents


def to_host(tensor: Tensor) -> Array:
    """A tensor's values in float32."""
    return np.asarray(tensor.asnumpy(), np.float32)


def host_array(name: str, values: Tensor | npt.ArrayLike) -> Array:
    """A tensor's or an array's values in float32.

    Raises:
        TypeError: the values are no numbers; `name` is what the error calls them.
    """
    if isinstance(values, Tensor):
        return to_host(values)
    try:
        if values is not None:  # which NumPy takes for a number
            return np.asarray(values, np.float32)
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{name} is a {type(values).__name__}: give a Tensor or an array of numbers")


def dtype_of(model: nn.Cell) -> ms.Type:
    """The dtype of a model's weights, in which it computes."""
    return next(model.get_parameters()).dtype


def scheduler_of(checkpoint: Checkpoint, component: str = "scheduler") -> Scheduler:
    """The scheduler that a checkpoint asks for in the folder `component`.

    Raises:
        CheckpointError: it has none, or one that is not implemented.
        ValueError: an option of it is not implemented.
    """
    config = checkpoint.config(component)
    kind = SCHEDULERS.get(config.get("_class_name", ""))
    if kind is None:
        raise CheckpointBroken(
            "{source} asks for the scheduler {name!r}: only {known} are implemented; give another one as scheduler=",
            "unknown-scheduler",
            source=checkpoint.source,
            name=config.get("_class_name"),
            known=", ".join(SCHEDULERS),
        )
    return kind.from_config(config)


@contextmanager
def _config_errors(checkpoint: Checkpoint, component: str) -> Iterator[None]:
    """Raise a CheckpointError that names the component for a ValueError about its config."""
    try:
        yield
    except BackendError:
        raise
    except ValueError as exc:
        raise CheckpointBroken(
            "{source}, {component}: {reason}",
            "bad-config",
            source=checkpoint.source,
            component=component,
            reason=str(exc),
        ) from exc


def _known(components: Mapping[str, Any], names: list[str], call: str) -> dict[str, Any]:
    """The components among keyword arguments; the rest is ignored with a warning."""
    unknown = sorted(set(components) - set(names))
    if unknown:
        log.warning("%s does not know %s, and ignores it", call, ", ".join(unknown))
    return {name: value for name, value in components.items() if name in names}


def _stay_at(target: Any) -> None:
    """Say that a pipeline stays on the process's device, where another was asked for."""
    if not str(target).lower().startswith(device.current().lower()):
        say_once(f"to({str(target)!r}) has no effect here: models run on the {device.current()}, see set_device")
