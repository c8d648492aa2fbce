"""What is measured, of whom, and the goals: plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

OURS, PYTORCH, OPENVINO, OPERATORS = "ours", "PyTorch", "OpenVINO", "MindSpore's operators"
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Contender:
    """Who is measured, in which precision."""

    who: str
    precision: str

    def __str__(self) -> str:
        return f"{self.who} {self.precision}"


ALL = tuple(Contender(who, precision) for who in (OURS, PYTORCH, OPENVINO) for precision in PRECISIONS)
OF_OURS = tuple(contender for contender in ALL if contender.who == OURS)
NOT_OPENVINO = tuple(contender for contender in ALL if contender.who != OPENVINO)


@dataclass(frozen=True)
class Stage:
    """A measurement that runs in a process of its own for each contender; `options` go to it as they are."""

    measure: str  # the function of ours.py, theirs.py and theirs_openvino.py
    contenders: Sequence[Contender]
    options: Mapping[str, Any] = field(default_factory=dict)


STAGES: Mapping[str, Stage] = {
    "step": Stage("step", ALL, {"sizes": [512, 768], "batches": [1]}),
    "decode": Stage("decode", ALL, {"sizes": [512, 768]}),
    "interpolate": Stage("interpolate", NOT_OPENVINO, {"prior_steps": 25}),
    "job": Stage("job", NOT_OPENVINO, {"sizes": [768]}),
    "weights": Stage("weights", OF_OURS, {"sizes": [64]}),
    "small": Stage("small", (*OF_OURS, Contender(OPERATORS, "float32")), {}),
    "work": Stage("work", (Contender(OURS, "float32"),), {"sizes": [256, 384, 512, 768, 1024, 1536], "batches": [1]}),
    "pixels": Stage("step", ALL, {"sizes": [256, 384, 512, 768, 1024, 1536], "batches": [1]}),
    "batch": Stage("step", ALL, {"sizes": [512], "batches": [1, 2, 4]}),
}


@dataclass(frozen=True)
class Goal:
    """A row of the table: a measured row, or a sum of such; and the most that it may be of each peer's best."""

    title: str
    parts: Mapping[str, int]  # how often each row happens
    most: Mapping[str, float]  # by whom it is compared with; without bfloat16 on the chip
    with_bfloat16: Mapping[str, float] | None = None  # the same on a chip that has it
    unit: str = "s"


_STEP = {PYTORCH: 0.8, OPENVINO: 0.95}
_STEP_BFLOAT16 = {PYTORCH: 0.45, OPENVINO: 0.75}
SCRIPT_STEPS = 100  # what the script's pipeline takes when it is not told

GOALS: Sequence[Goal] = (
    Goal("guided decoder step, 512 px", {"step-512x1": 1}, _STEP, _STEP_BFLOAT16),
    Goal("guided decoder step, 768 px", {"step-768x1": 1}, _STEP, _STEP_BFLOAT16),
    Goal("interpolate a text and two pictures, 25 prior steps", {"interpolate": 1}, {PYTORCH: 0.3}),
    Goal("only weights changed, before the first of 50 steps", {"weights": 1}, {}),
    Goal("MoVQ decode, 512 px", {"decode-512": 1}, {PYTORCH: 0.4}),
    Goal("MoVQ decode, 768 px", {"decode-768": 1}, {PYTORCH: 0.4}),
    Goal("load, warm file cache", {"load": 1}, {PYTORCH: 0.7}),
    Goal("peak memory of a 768 px job", {"peak": 1}, {PYTORCH: 0.85}, unit="GB"),
    Goal("small model, a picture of a new prompt, 12 steps", {"small": 1}, {OPERATORS: 0.5}),
    Goal(
        f"the script at 768 px, {SCRIPT_STEPS} steps (the sum of its parts)",
        {"load": 1, "interpolate": 1, "step-768x1": SCRIPT_STEPS, "decode-768": 1},
        {PYTORCH: 0.4},
    ),
)
