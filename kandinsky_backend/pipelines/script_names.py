"""Names that scripts for diffusers and mindone use beside a pipeline's call; SCRIPTS.md lists them all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NoReturn

from tqdm.auto import tqdm

from kandinsky_backend import device
from kandinsky_backend.images import numpy_to_pil

log = logging.getLogger(__name__)

_OFFLOADING = "each model is read when it is first used, and dropped where the memory budget needs it"
_ATTENTION = "attention is computed in the way that suits the device"
_NO_MODULES = "the models are cells of MindSpore, of which a pipeline is made by its constructor or from_pretrained"


class NoEffect:
    """A method that does nothing and says so, once a process."""

    def __init__(self, why: str) -> None:
        self._why = why

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, pipeline: object, owner: type) -> Callable[..., None]:
        def method(*arguments: Any, **options: Any) -> None:
            say_once(f"{self._name} has no effect here: {self._why}")

        return method


class Refused:
    """An attribute that is not there, and why."""

    def __init__(self, why: str) -> None:
        self._why = why

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, pipeline: object, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__} has no {self._name}: {self._why}")


@lru_cache
def say_once(message: str) -> None:
    """Log a warning, once a process."""
    log.warning(message)


class ScriptNames:
    """The part of a pipeline that scripts know from diffusers and mindone, and that has no work to do here."""

    _progress_bar_options: dict[str, Any]

    @property
    def device(self) -> str:
        """The device that computes, "CPU" or "Ascend"; one for the process, see `mindspore.set_device`."""
        return device.current()

    def set_progress_bar_config(self, **options: Any) -> None:
        """Set options of tqdm for the progress bar of each run, e.g. `disable=True`."""
        self._progress_bar_options = options

    def progress_bar(self, iterable: Iterable[Any] | None = None, total: int | None = None) -> Any:
        """A bar of tqdm over `iterable`, or of `total` steps, with the options that were set.

        Raises:
            ValueError: neither is given.
        """
        if iterable is None and total is None:
            raise ValueError("progress_bar needs an iterable, or the total number of steps")
        return tqdm(iterable, total=total, **self._progress_bar_options)

    numpy_to_pil = staticmethod(numpy_to_pil)

    enable_model_cpu_offload = NoEffect(_OFFLOADING)
    enable_sequential_cpu_offload = NoEffect(_OFFLOADING)
    enable_group_offload = NoEffect(_OFFLOADING)
    maybe_free_model_hooks = NoEffect(_OFFLOADING)
    remove_all_hooks = NoEffect(_OFFLOADING)
    reset_device_map = NoEffect(_OFFLOADING)
    enable_attention_slicing = NoEffect(_ATTENTION)
    disable_attention_slicing = NoEffect(_ATTENTION)
    set_attention_slice = NoEffect(_ATTENTION)
    enable_xformers_memory_efficient_attention = NoEffect(_ATTENTION)
    disable_xformers_memory_efficient_attention = NoEffect(_ATTENTION)
    set_use_memory_efficient_attention_xformers = NoEffect(_ATTENTION)

    push_to_hub = Refused("save it with save_pretrained, and upload the folder with `hf upload`")
    download = Refused("from_pretrained downloads; to do only that, use `hf download`")
    register_modules = Refused(_NO_MODULES)
    register_to_config = Refused(_NO_MODULES)
    load_config = Refused(_NO_MODULES)
    from_config = Refused(_NO_MODULES)
    save_config = Refused("save_pretrained writes it with the rest")
