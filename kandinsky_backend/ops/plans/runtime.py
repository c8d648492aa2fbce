"""Whether this process has an executor, and the memory that its plans share."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import mindspore as ms
import numpy as np

from kandinsky_backend.ops.plans import build
from kandinsky_backend.ops.plans.build import NoExecutor
from kandinsky_backend.ops.plans.native import Library

log = logging.getLogger(__name__)

_ONEDNN = range(30000, 40000)  # the C interface keeps its numbers within a major version
_PAGE = 4096


class Workspace:
    """Memory that plans compute in, one plan at a time; as large as the largest has asked for."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._memory = np.empty(0, np.uint8)

    @property
    def nbytes(self) -> int:
        """Bytes that are reserved now."""
        return self._memory.size

    def reserve(self, nbytes: int) -> int:
        """The address of `nbytes` on a page of their own, valid until the next call.

        Raises:
            MemoryError: there are not as many.
        """
        if self._memory.size < nbytes + _PAGE:
            self._memory = np.empty(0, np.uint8)  # freed before the larger one is asked for
            self._memory = np.empty(nbytes + _PAGE, np.uint8)
        return -(-self._memory.ctypes.data // _PAGE) * _PAGE


WORKSPACE = Workspace()
_switched_off = threading.local()


def executor() -> Library | None:
    """The executor of this process, compiled and loaded at the first call; None where MindSpore's operators serve.

    Which it is, and why, is logged once.
    """
    if getattr(_switched_off, "here", False) or ms.get_context("device_target") != "CPU":
        return None
    return load()


@contextmanager
def switched_off() -> Iterator[None]:
    """Let MindSpore's own operators compute in this block, in this thread: to compare the two."""
    before = getattr(_switched_off, "here", False)
    _switched_off.here = True
    try:
        yield
    finally:
        _switched_off.here = before


@lru_cache
def load() -> Library | None:
    try:
        library = Library(build.library(), cores())
    except (NoExecutor, OSError) as exc:
        log.warning("models run on MindSpore's own operators, which take longer than compiled plans: %s", exc)
        return None
    version = library.onednn_version()
    if version not in _ONEDNN:
        log.warning(
            "models run on MindSpore's own operators, which take longer than compiled plans: oneDNN is %d", version
        )
        return None
    log.info("models run on compiled plans, on %d threads", library.threads)
    return library


def cores() -> int:
    """Number of cores that this process may use; OMP_NUM_THREADS, which MindSpore heeds too, bounds it."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    bound = os.environ.get("OMP_NUM_THREADS", "")
    return min(found, int(bound)) if bound.isdecimal() and int(bound) else found
