"""What both pipelines share: finding a checkpoint's parts, encoding prompts, the progress bar, checks of parameters."""

from __future__ import annotations

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn
from tqdm.auto import tqdm

from kandinsky_backend import device
from kandinsky_backend.checkpoint import Checkpoint, CheckpointBroken, resolve
from kandinsky_backend.residency import Residency, Resident
from kandinsky_backend.sampling import Array, Step, Steps, TextConditioning, finish, is_guided
from kandinsky_backend.schedulers import SCHEDULERS, Scheduler
from kandinsky_backend.weights import WeightsError

log = logging.getLogger(__name__)

Prompt = str | list[str]
_Pipeline = TypeVar("_Pipeline", bound="Pipeline")

_RESIDENCY = Residency()  # all pipelines of a process share its memory


# Of from_pretrained, the components of a pipeline excepted.
_PARAMETERS = (
    "mindspore_dtype",
    "use_safetensors",
    "variant",
    "revision",
    "cache_dir",
    "local_files_only",
    "token",
    "residency",
)


@dataclass(frozen=True)
class PipelineOutput:
    """Named results, which are also found by number or name and unpack in order."""

    def to_tuple(self) -> tuple[Any, ...]:
        """The results in order."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def __getitem__(self, key: int | slice | str) -> Any:
        return getattr(self, key) if isinstance(key, str) else self.to_tuple()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.to_tuple())

    def __len__(self) -> int:
        return len(fields(self))


@dataclass(frozen=True)
class ModelFiles:
    """How a folder of a checkpoint becomes a model."""

    model: type[nn.Cell]
    config: Any  # its config class
    ignore: frozenset[str] = frozenset()
    renames: Mapping[str, str] | None = None


class Part(NamedTuple):
    """A model of a pipeline: its config is known at once, its weights are read when it is first used."""

    config: Any
    resident: Resident[nn.Cell]

    @classmethod
    def of(cls, model: nn.Cell | Part) -> Part:
        """`model` itself if it is a Part, else a Part that always holds it."""
        if isinstance(model, Part):
            return model
        return cls(model.config, Residency().add(type(model).__name__, 0, lambda: model))


class Pipeline(ABC):
    """What the two pipelines share: loading, prompts, the progress bar.

    Attributes:
        tokenizer: of transformers.
        scheduler: may be replaced: `pipeline.scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)`.
        checkpoint: what from_pretrained found; None for a pipeline that was put together by hand.
    """

    _models: ClassVar[Mapping[str, ModelFiles]]
    _others: ClassVar[Mapping[str, Callable[[Checkpoint], Any]]]

    def __init__(self, tokenizer: Any, scheduler: Scheduler, **models: nn.Cell | Part) -> None:
        self.tokenizer = tokenizer
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
        use_safetensors: bool = True,
        variant: str | None = None,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        token: bool | str | None = None,
        residency: Residency | None = None,
        **components: Any,
    ) -> _Pipeline:
        """The pipeline of a checkpoint: its files are found now, each model is read when it is first used.

        Args:
            pretrained_model_name_or_path: a folder or a hub id.
            mindspore_dtype: precision to compute in, where the device can (device.compute_dtype); None: float32.
            variant: of the weight files, e.g. "fp16"; and the rest: see checkpoint.resolve.
            residency: keeps the models within a memory budget; None: one for all pipelines of the process.
            components: to use instead of the checkpoint's, e.g. `scheduler=`.

        Raises:
            TypeError: a parameter is unknown.
            CheckpointError: the files are not there, or not what they must be.
            ValueError: a config holds a value that is not implemented.
        """
        names = [*cls._models, *cls._others]
        unknown = sorted(set(components) - set(names))
        if unknown:
            raise TypeError(
                f"{cls.__name__}.from_pretrained has no parameter {unknown[0]!r}: it has {', '.join(_PARAMETERS)}, "
                f"and for the pipeline's components {', '.join(names)}"
            )
        checkpoint = resolve(
            pretrained_model_name_or_path,
            variant=variant,
            revision=revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            token=token,
            use_safetensors=use_safetensors,
            components=[name for name in names if name not in components],
        )
        device.prepare()
        dtype = device.compute_dtype(mindspore_dtype)
        for name in set(cls._models) - set(components):
            components[name] = _part(checkpoint, name, cls._models[name], dtype, residency or _RESIDENCY)
        for name in set(cls._others) - set(components):
            components[name] = cls._others[name](checkpoint)
        pipeline = cls(**components)
        pipeline.checkpoint = checkpoint
        return pipeline

    @property
    def components(self) -> dict[str, Any]:
        """What the pipeline is made of: `KandinskyPipeline(**pipeline.components)` is another that shares it all."""
        return {**self._parts, **{name: getattr(self, name) for name in self._others}}

    @property
    def text_encoder(self) -> Any:
        """The text encoder; read from its files when first used, as are the other models."""
        return self._get("text_encoder")

    @property
    def parts_of_text(self) -> tuple[Resident[nn.Cell], ...]:
        """The models that encoding a prompt needs."""
        return (self._parts["text_encoder"].resident,)

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """How many tokens of a prompt the models read, the marks of its start and end included."""

    @abstractmethod
    def _run_text_encoder(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """text_embeds and the last hidden state."""

    def encode_prompt(self, texts: Sequence[str]) -> TextConditioning:
        """What the text encoder says about each text; equal ones are encoded once. Logs what is cut off."""
        unique = list(dict.fromkeys(texts))
        for text in unique:
            if cut := self.truncated_text(text):
                log.warning("only %d tokens of a prompt are read; cut off: %s", self.max_tokens, shortened(cut))
        tokens = self.tokenizer(
            unique, padding="max_length", max_length=self.max_tokens, truncation=True, return_tensors="np"
        )
        mask = tokens.attention_mask.astype(np.float32)
        encoded = self._run_text_encoder(Tensor(tokens.input_ids.astype(np.int32)), Tensor(mask))
        conditioning = TextConditioning(to_host(encoded[0]), to_host(encoded[1]), mask)
        return conditioning.rows([unique.index(text) for text in texts])

    def truncated_text(self, text: str) -> str:
        """The end of `text` that does not fit into `max_tokens` tokens, or ""."""
        places = self.tokenizer(text, return_offsets_mapping=True, verbose=False).offset_mapping
        if len(places) <= self.max_tokens:
            return ""
        first_cut, _ = places[self.max_tokens - 1]  # the last place that is read goes to the mark of the end
        return text[first_cut:].strip()

    def set_progress_bar_config(self, **options: Any) -> None:
        """Options of tqdm for the progress bar of each run, e.g. `disable=True`."""
        self._progress_bar_options = options

    def _condition(
        self, prompts: Sequence[str], negatives: Sequence[str], copies: int, guidance_scale: float
    ) -> TextConditioning:
        """`copies` rows for each prompt, under guidance after as many for each negative."""
        texts = repeated(prompts, copies)
        return self.encode_prompt(repeated(negatives, copies) + texts if is_guided(guidance_scale) else texts)

    def _get(self, name: str) -> Any:
        """A model, read now if it is not in memory."""
        return self._parts[name].resident.get()

    def _config(self, name: str) -> Any:
        return self._parts[name].config

    def _scheduler_for(self, num_inference_steps: int) -> Scheduler:
        """A copy of the scheduler with its timesteps set: two runs at a time do not disturb each other."""
        scheduler = copy.copy(self.scheduler)
        scheduler.set_timesteps(num_inference_steps)
        return scheduler

    def _finish(self, steps: Steps, count: int, on_step: Callable[[Step], None] = lambda _: None) -> Array:
        """Run to the end under a progress bar."""
        with tqdm(total=count, **self._progress_bar_options) as bar:

            def advance(step: Step) -> None:
                bar.update()
                on_step(step)

            return finish(steps, advance)


def to_host(tensor: Tensor) -> Array:
    """A tensor's values in float32."""
    return tensor.astype(ms.float32).asnumpy()


def dtype_of(model: nn.Cell) -> ms.Type:
    """The dtype of a model's weights, in which it computes."""
    return next(model.get_parameters()).dtype


def _part(checkpoint: Checkpoint, name: str, files: ModelFiles, dtype: ms.Type, residency: Residency) -> Part:
    config = files.config.from_dict(checkpoint.config(name))

    def load() -> nn.Cell:
        weights = checkpoint.weights(name, dtype, files.ignore, files.renames)
        try:
            model = files.model(config, weights)
            weights.finish()
        except WeightsError:
            raise
        except ValueError as exc:  # sizes of the config that do not go together
            raise CheckpointBroken(f"{checkpoint.source}, {name}: {exc}") from exc
        return model

    return Part(config, residency.add(f"{checkpoint.source}: {name}", checkpoint.bytes_of(name, dtype), load))


def scheduler_of(checkpoint: Checkpoint) -> Scheduler:
    config = checkpoint.config("scheduler")
    kind = SCHEDULERS.get(config.get("_class_name", ""))
    if kind is None:
        raise ValueError(
            f"{checkpoint.source} asks for the scheduler {config.get('_class_name')!r}: only "
            f"{', '.join(SCHEDULERS)} are implemented; give another one as scheduler="
        )
    return kind.from_config(config)


def texts_of(name: str, value: Prompt) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} is {value!r}: give a str or a list of str")
    if not texts:
        raise ValueError(f"{name} is an empty list: give at least one prompt")
    return list(texts)


def check_is_text(name: str, value: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}: give a str")


def check_as_many(prompts: list[str], negatives: list[str]) -> None:
    if len(prompts) != len(negatives):
        raise ValueError(f"{len(prompts)} prompts and {len(negatives)} negative prompts were given: give as many")


def check_output_type(output_type: str, *known: str) -> None:
    if output_type not in known:
        raise ValueError(f"output_type is {output_type!r}: choose one of {', '.join(known)}")


def check_at_least_1(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} is {value}: it must be at least 1")


def shortened(text: str, length: int = 200) -> str:
    """`text` as a log or a message may hold it: quoted, on one line, and not longer than about `length`."""
    return repr(text if len(text) <= length else f"{text[:length]}...")


def repeated(texts: Sequence[str], copies: int) -> list[str]:
    return [text for text in texts for _ in range(copies)]


def host_array(values: Tensor | npt.ArrayLike) -> Array:
    return to_host(values) if isinstance(values, Tensor) else np.asarray(values, np.float32)
