"""The device that computes, and the precision in which it does.

Everything else asks :func:`compute_dtype` and never looks at the device itself.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

import mindspore as ms

from kandinsky_backend.errors import DeviceError
from kandinsky_backend.ops.plans.planned import plans_compute, why_not

log = logging.getLogger(__name__)

_DEVICE_NAMES = frozenset({"cpu", "cuda", "gpu", "mps", "xpu", "npu", "hpu", "ascend"})

PRECISIONS: dict[str, ms.Type] = {
    "float32": ms.float32,
    "float16": ms.float16,
    "bfloat16": ms.bfloat16,
}

# What each device computes well. MindSpore's CPU operators have no bfloat16 matmul, softmax or norm kernels, and
# their float16 ones are slower than float32 (see tests/benchmarks). Compiled plans add bfloat16 where a processor
# has it.
_COMPUTES: dict[str, frozenset[ms.Type]] = {
    "CPU": frozenset({ms.float32}),
    "Ascend": frozenset({ms.float32, ms.float16, ms.bfloat16}),
}


def select(target: str) -> None:
    """Make `target` ("CPU" or "Ascend", any case) the device of this process.

    Raises:
        DeviceError: the name is unknown, or MindSpore cannot use that device here.
    """
    names = {name.lower(): name for name in _COMPUTES}
    if target.lower() not in names:
        raise DeviceError(
            "unknown device {device!r}: choose one of {choices}",
            "unknown-device",
            device=target,
            choices=", ".join(sorted(_COMPUTES)),
        )
    if current() == names[target.lower()]:
        return  # MindSpore refuses to be told so once it has computed something
    try:
        ms.set_device(names[target.lower()])
    except (RuntimeError, ValueError) as exc:
        reason = str(exc).strip().partition("\n")[0]  # a C++ call stack follows
        raise DeviceError(
            "MindSpore cannot use the device {device!r} on this machine: {reason}",
            "no-device",
            device=target,
            reason=reason,
        ) from exc


def prepare() -> None:
    """Set this process up to run models; to be called before one is built, as often as one likes.

    On a CPU each operator is then done before the next is launched. Host and device are the same cores there, so that
    launching ahead gains nothing; but it keeps memory longer (a MoVQ decode at 512 px: 1.8 against 1.2 GB), and every
    question for a shape waits for another thread (a small UNet: 3 to 8 times as long on busy cores).
    """
    if current() == "CPU":
        ms.runtime.launch_blocking()


def best_precision() -> ms.Type:
    """The fastest dtype whose pictures are as good: float16 on Ascend, which the published weights are made for.

    On a CPU it is bfloat16 where compiled plans compute in it, and else float32.
    """
    if current() == "Ascend":
        return ms.float16
    return ms.bfloat16 if _computes(ms.bfloat16) else ms.float32


def precision_called(name: str) -> ms.Type:
    """The dtype of a precision that a user insists on; "auto" is the best.

    Raises:
        DeviceError: the device does not compute in it.
    """
    if name == "auto":
        return best_precision()
    wanted = PRECISIONS[name]
    if not _computes(wanted):
        reason = why_not(wanted) if current() == "CPU" else "its kernels do not"
        raise DeviceError(
            "the {device} does not compute in {precision} here, because {reason}: choose auto or float32",
            "no-precision",
            device=current(),
            precision=name,
            reason=reason,
        )
    return wanted


def _computes(dtype: ms.Type) -> bool:
    """Whether the device of this process computes well in `dtype`."""
    known = _COMPUTES.get(current(), frozenset({ms.float32}))
    return dtype in known or (current() == "CPU" and plans_compute(dtype))


def current() -> str:
    """The device of this process: "CPU" or "Ascend"."""
    return str(ms.get_context("device_target"))


def name_of(dtype: ms.Type) -> str:
    """The name of a precision: "float32"."""
    return next(name for name, known in PRECISIONS.items() if known == dtype)


def is_device(name: object) -> bool:
    """True for what scripts call a device, e.g. "cuda:0", "Ascend" or a torch.device."""
    return str(name).lower().partition(":")[0] in _DEVICE_NAMES


def compute_dtype(requested: Any) -> ms.Type:
    """The dtype in which models compute when `requested` is asked for; None asks for float32.

    Taken are MindSpore's types, and by their names those of others: "float16", torch.float16.

    A precision that the device has no good kernels for is computed in float32 instead, with one warning a process,
    so that a script written for float16 on Ascend runs unchanged on a CPU.
    """
    by_name = PRECISIONS.get(str(requested).removeprefix("torch."), requested)
    wanted = ms.float32 if requested is None else by_name
    if wanted not in PRECISIONS.values():
        raise DeviceError(
            "cannot compute in {precision}: choose one of {choices}",
            "unknown-precision",
            precision=wanted,
            choices=", ".join(PRECISIONS),
        )
    if _computes(wanted):
        return wanted
    warn_once(name_of(wanted), current())
    return ms.float32


@lru_cache
def warn_once(wanted: str, device: str) -> None:
    """Log that the device computes in float32 instead of in `wanted`, once a process."""
    log.warning("%s was asked for; the %s computes in float32", wanted, device)
