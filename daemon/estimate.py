"""How long a job still takes, from how long its steps have taken."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

UNKNOWN = -1.0
MAX_ESTIMATES = 32  # kinds of jobs whose speed is remembered
_NEWEST = 0.3  # how much the newest step counts, so that one slow step does not make the number jump


class Estimate:
    """Seconds a step of each stage, learned while jobs of one picture size run."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def learn(self, stage: str, seconds: float) -> None:
        """A step of `stage` has taken `seconds`."""
        known = self._seconds.get(stage)
        self._seconds[stage] = seconds if known is None else known + _NEWEST * (seconds - known)

    def remaining(self, left: Mapping[str, int]) -> float:
        """Seconds that the steps `left` of each stage take together, or UNKNOWN before a denoising step was seen.

        A stage not seen yet is taken to cost a denoising step, which for the one decoding at the end is close.
        """
        if left.get("denoising") and "denoising" not in self._seconds:
            return UNKNOWN
        usual = self._seconds.get("denoising", 0.0)
        return sum(count * self._seconds.get(stage, usual) for stage, count in left.items())


class Estimates:
    """An Estimate for each kind of job, such as a model and a picture size: of the last MAX_ESTIMATES asked for."""

    def __init__(self) -> None:
        self._estimates: dict[Hashable, Estimate] = {}  # the longest not asked for first

    def of(self, kind: Hashable) -> Estimate:
        estimate = self._estimates.pop(kind, None) or Estimate()
        self._estimates[kind] = estimate
        if len(self._estimates) > MAX_ESTIMATES:
            del self._estimates[next(iter(self._estimates))]
        return estimate
