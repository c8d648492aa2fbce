"""The one place that knows which device computes and in which precision.

Everything else asks :func:`compute_dtype` and never looks at the device itself.
"""

from __future__ import annotations

import logging
from functools import lru_cache

import mindspore as ms

log = logging.getLogger(__name__)

PRECISIONS: dict[str, ms.Type] = {
    "float32": ms.float32,
    "float16": ms.float16,
    "bfloat16": ms.bfloat16,
}

# What each device computes well. MindSpore's CPU operators have no bfloat16 matmul, softmax or norm kernels, and
# their float16 ones are slower than float32 (see tests/benchmarks): a CPU computes in float32, whatever was asked.
_COMPUTES: dict[str, frozenset[ms.Type]] = {
    "CPU": frozenset({ms.float32}),
    "Ascend": frozenset({ms.float32, ms.float16, ms.bfloat16}),
}


class DeviceError(ValueError):
    """A device or precision was asked for that this machine or MindSpore build does not offer."""


def select(target: str) -> None:
    """Make `target` ("CPU" or "Ascend", any case) the device of this process.

    Raises:
        DeviceError: the name is unknown, or MindSpore cannot use that device here.
    """
    names = {name.lower(): name for name in _COMPUTES}
    if target.lower() not in names:
        raise DeviceError(f"unknown device {target!r}: choose one of {', '.join(sorted(_COMPUTES))}")
    if current() == names[target.lower()]:
        return  # MindSpore refuses to be told so once it has computed something
    try:
        ms.set_device(names[target.lower()])
    except (RuntimeError, ValueError) as exc:
        reason = str(exc).strip().partition("\n")[0]  # a C++ call stack follows
        raise DeviceError(f"MindSpore cannot use the device {target!r} on this machine: {reason}") from exc


def prepare() -> None:
    """Set this process up to run models; to be called before one is built, as often as one likes.

    On a CPU each operator is then done before the next is launched. Host and device are the same cores there, so that
    launching ahead gains nothing; but it keeps memory longer (a MoVQ decode at 512 px: 1.8 against 1.2 GB), and every
    question for a shape waits for another thread (a small UNet: 3 to 8 times as long on busy cores).
    """
    if current() == "CPU":
        ms.runtime.launch_blocking()


def best_precision() -> ms.Type:
    """The fastest dtype whose pictures are as good: float16 on Ascend, which the published weights are made for."""
    return ms.float16 if current() == "Ascend" else ms.float32


def current() -> str:
    """The device of this process: "CPU" or "Ascend"."""
    return str(ms.get_context("device_target"))


def name_of(dtype: ms.Type) -> str:
    """The name of a precision: "float32"."""
    return next(name for name, known in PRECISIONS.items() if known == dtype)


def compute_dtype(requested: ms.Type | None) -> ms.Type:
    """The dtype in which models compute when `requested` is asked for; None asks for float32.

    A precision that the device has no good kernels for is computed in float32 instead, with one warning a process,
    so that a script written for float16 on Ascend runs unchanged on a CPU.
    """
    wanted = ms.float32 if requested is None else requested
    if wanted not in PRECISIONS.values():
        raise DeviceError(f"cannot compute in {wanted}: choose one of {', '.join(PRECISIONS)}")
    if wanted in _COMPUTES.get(current(), frozenset({ms.float32})):
        return wanted
    _warn_once(name_of(wanted), current())
    return ms.float32


@lru_cache
def _warn_once(wanted: str, device: str) -> None:
    log.warning("%s was asked for; the %s computes in float32", wanted, device)
