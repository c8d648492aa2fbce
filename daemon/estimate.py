"""How long a job still takes, from how long its steps have taken."""

from __future__ import annotations

from collections.abc import Mapping

UNKNOWN = -1.0
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
