"""Estimates of the time that a job still takes, from the time that its steps have taken."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

UNKNOWN = -1.0
MAX_ESTIMATES = 32  # kinds of jobs whose speed is remembered
_NEWEST = 0.3  # how much the newest step counts, so that one slow step does not make the number jump


class Estimate:
    """The seconds that a step of each stage takes, learned while jobs of one kind run."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def learn(self, stage: str, seconds: float) -> None:
        """Take in that a step of `stage` has taken `seconds`."""
        known = self._seconds.get(stage)
        self._seconds[stage] = seconds if known is None else known + _NEWEST * (seconds - known)

    def remaining(self, left: Mapping[str, int]) -> float:
        """Return the seconds that the steps `left` of each stage take; UNKNOWN before a denoising step was seen.

        A stage not seen yet is taken to cost a denoising step, which for the one decoding at the end is close.
        """
        if left.get("denoising") and "denoising" not in self._seconds:
            return UNKNOWN
        usual = self._seconds.get("denoising", 0.0)
        return sum(count * self._seconds.get(stage, usual) for stage, count in left.items())


class Estimates:
    """An Estimate for each kind of job, such as a model and a picture size. The last MAX_ESTIMATES are kept."""

    def __init__(self) -> None:
        self._estimates: dict[Hashable, Estimate] = {}  # the least recently used first

    def of(self, kind: Hashable) -> Estimate:
        """Return the estimate of a kind, a new one if it is not known."""
        estimate = self._estimates.pop(kind, None) or Estimate()
        self._estimates[kind] = estimate
        if len(self._estimates) > MAX_ESTIMATES:
            del self._estimates[next(iter(self._estimates))]
        return estimate
