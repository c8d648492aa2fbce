"""Models in memory only while they are needed: loaded at first use, the least recently used dropped to stay in budget.

A pipeline holds a Resident for each model instead of the model:

    residency = Residency()
    unet = residency.add("unet", checkpoint.bytes_of("unet", dtype), lambda: build(checkpoint))
    unet.get()(latents)       # loads, or not
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

log = logging.getLogger(__name__)

_M = TypeVar("_M")

# Of the machine's memory. The two published pipelines are 13 GB in float32: on a machine of 16 GB they cannot all stay.
# The rest is for the tensors of a denoising step (1 to 2 GB), for the editor with its open pictures, and for whatever
# else the user runs; a model that was dropped costs seconds to load again, a machine that swaps costs minutes.
DEFAULT_SHARE = 0.4

_ASSUMED_MEMORY = 8 * 2**30

# What a container may use: control groups of version 2 and 1, as seen from inside.
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


class _Group(NamedTuple):
    """A control group: the file of its limit, and the name in its memory.stat of what no other process can have."""

    limit: Path
    used: str


_GROUPS = (_Group(_CGROUP_LIMITS[0], "anon"), _Group(_CGROUP_LIMITS[1], "total_rss"))


@lru_cache
def shared_residency() -> Residency:
    """The residency of all pipelines of this process that were given none of their own; made at the first call."""
    return Residency()


class Residency:
    """Keeps the models that were added to it within a budget.

    A model that is larger than the whole budget is still loaded, alone. One thread loads what it needs and drops what
    is in its way; others may load ahead of it what fits beside (Resident.get_ahead).
    """

    def __init__(self, budget_bytes: int | None = None) -> None:
        """`budget_bytes` for the parameters of all loaded models together; None: DEFAULT_SHARE of the memory."""
        self.budget_bytes = int(DEFAULT_SHARE * usable_memory()) if budget_bytes is None else budget_bytes
        self._lock = threading.Lock()  # of the two fields below
        self._loaded: list[Resident[Any]] = []  # the least recently used first
        self._coming_bytes = 0  # of models that are being loaded ahead

    @property
    def loaded_bytes(self) -> int:
        """Bytes that all loaded models hold, and those that are being loaded ahead will."""
        with self._lock:
            return self._count_bytes()

    def add(
        self, name: str, nbytes: int, load: Callable[[], _M], held_bytes: Callable[[_M], int] = lambda model: 0
    ) -> Resident[_M]:
        """A handle of the model that `load` makes. Loads nothing yet.

        Args:
            nbytes: that it takes, as far as is known before.
            held_bytes: those that it holds by now; it counts with them once they are more.
        """
        return Resident(self, name, nbytes, load, held_bytes)

    def fits(self, nbytes: int) -> bool:
        """Tell whether models of so many bytes together may be in memory at a time."""
        return nbytes <= self.budget_bytes

    def make_room(self, nbytes: int) -> None:
        """Drop models until `nbytes` more fit into the budget, or none is left."""
        while (oldest := next(iter(self._loaded), None)) and not self.fits(self.loaded_bytes + nbytes):
            oldest.drop()

    @contextmanager
    def room_beside(self, nbytes: int) -> Iterator[bool]:
        """Tell whether `nbytes` more fit in without dropping anything; if so they are kept free in this block."""
        with self._lock:
            fits = self.fits(self._count_bytes() + nbytes)
            kept = nbytes if fits else 0
            self._coming_bytes += kept
        try:
            yield fits
        finally:
            with self._lock:
                self._coming_bytes -= kept

    def _count_bytes(self) -> int:
        """`loaded_bytes` where the lock is held."""
        return self._coming_bytes + sum(resident.nbytes for resident in self._loaded)

    def touch(self, resident: Resident[Any]) -> None:
        """Note that `resident` is loaded and was used just now."""
        with self._lock:
            self._loaded = [*(other for other in self._loaded if other is not resident), resident]

    def forget(self, resident: Resident[Any]) -> None:
        """Note that `resident` is not loaded."""
        with self._lock:
            self._loaded = [other for other in self._loaded if other is not resident]


class Resident(Generic[_M]):
    """A model that may or may not be in memory. Made by Residency.add."""

    def __init__(
        self,
        residency: Residency,
        name: str,
        nbytes: int,
        load: Callable[[], _M],
        held_bytes: Callable[[_M], int],
    ) -> None:
        self.name = name
        self._nbytes = nbytes
        self._residency = residency
        self._load = load
        self._held_bytes = held_bytes
        self._loading = threading.Lock()
        self._model: _M | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that the model takes in memory: the most that is known of it by now."""
        if (model := self._model) is not None:
            self._nbytes = max(self._nbytes, self._held_bytes(model))
        return self._nbytes

    def expect(self, nbytes: int) -> None:
        """Count with so many bytes from now on, unless more are known of."""
        self._nbytes = max(self._nbytes, nbytes)

    @property
    def loaded(self) -> bool:
        """True while the model is in memory."""
        return self._model is not None

    def fits_beside(self, other: Resident[Any]) -> bool:
        """Tell whether getting this model leaves `other`, which was used last, in memory."""
        return self._residency is not other._residency or self._residency.fits(self.nbytes + other.nbytes)

    def get(self) -> _M:
        """The model, loaded now if need be. Keep it for one call only: a reference keeps its memory from being freed.

        Raises:
            whatever loading raises; nothing counts as loaded then.
        """
        with self._loading:
            if self._model is None:
                self._residency.make_room(self.nbytes)
            return self._loaded_now()

    def get_ahead(self) -> _M | None:
        """The same in a thread that works ahead of the one that needs it: None where it fits in beside nothing.

        Raises:
            whatever loading raises; nothing counts as loaded then.
        """
        with self._loading:
            if self._model is not None:
                return self._model
            with self._residency.room_beside(self.nbytes) as fits:
                return self._loaded_now() if fits else None

    def _loaded_now(self) -> _M:
        if self._model is None:
            started = time.perf_counter()
            self._model = self._load()
            log.info("loaded %s, %d MB, in %.1f s", self.name, self.nbytes >> 20, time.perf_counter() - started)
        self._residency.touch(self)
        return self._model

    def drop(self) -> None:
        """Free the model's memory; get() will load it again."""
        with self._loading:
            if self._model is None:
                return
            log.info("dropping %s, %d MB", self.name, self.nbytes >> 20)
            self._model = None
            self._residency.forget(self)
        _give_back_memory()


def growth(parts: Iterable[Resident[Any]]) -> int:
    """Bytes by which the parameters in memory grow at most while these models are got one after another."""
    before: dict[Residency, int] = {}
    loaded: dict[Residency, list[Resident[Any]]] = {}
    most = 0
    for part in parts:
        residency = part._residency
        before.setdefault(residency, residency.loaded_bytes)
        here = loaded.setdefault(residency, list(residency._loaded))
        if part in here:
            here.remove(part)
        while here and not residency.fits(sum(other.nbytes for other in here) + part.nbytes):
            del here[0]
        here.append(part)
        now = sum(other.nbytes for others in loaded.values() for other in others)
        most = max(most, now - sum(before.values()))
    return most


def _give_back_memory() -> None:
    """Free what nothing refers to, and return it to the system."""
    gc.collect()  # cells refer to each other in cycles, which only the collector frees
    if sys.platform == "linux":
        # glibc keeps freed blocks of up to 32 MB: 1.2 GB of the published UNet's 4.7.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # another C library has no such call, and may need none
            trim(0)


def available_memory(meminfo: Path = Path("/proc/meminfo"), groups: Iterable[_Group] = _GROUPS) -> int | None:
    """Bytes that this process may still take: of the machine, or less where a control group has a limit.

    None where the system does not tell, as on macOS and Windows.
    """
    machine = _number_after("MemAvailable:", meminfo)
    if machine is None:
        return None
    left = [_left_in(group) for group in groups]
    return min([machine * 1024, *(bytes_left for bytes_left in left if bytes_left is not None)])


def _left_in(group: _Group) -> int | None:
    """The bytes below a control group's limit; what caches files counts as free, since the system gives it back."""
    limit, used = _limit_in(group.limit), _number_after(group.used, group.limit.with_name("memory.stat"))
    return None if limit is None or used is None else max(0, limit - used)


def _number_after(name: str, file: Path) -> int | None:
    """The number behind a name at the beginning of a line; None if there is none."""
    try:
        found = re.search(rf"^{name}\s+(\d+)", file.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None


def usable_memory(limits: Iterable[Path] = _CGROUP_LIMITS) -> int:
    """Bytes of memory that this process may use: the machine's, or less where a file of `limits` says so.

    Where the system does not tell (Windows has no sysconf), 8 GiB are assumed; Residency takes another budget.
    """
    return min([_machine_memory(), *filter(None, map(_limit_in, limits))])


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _ASSUMED_MEMORY


def _limit_in(file: Path) -> int | None:
    """The number of bytes in a control group's file; None where there is no such file, or no limit ("max")."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
