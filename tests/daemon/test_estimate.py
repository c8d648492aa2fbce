from __future__ import annotations

from daemon.estimate import MAX_ESTIMATES, UNKNOWN, Estimates


def learned() -> Estimates:
    """Estimates that know one kind, "used"."""
    estimates = Estimates()
    estimates.of("used").learn("denoising", 2.0)
    return estimates


def test_a_kind_of_job_that_ran_before_is_estimated() -> None:
    estimates = learned()
    assert estimates.of("used").remaining({"denoising": 3}) == 6.0
    assert estimates.of("other").remaining({"denoising": 3}) == UNKNOWN


def test_the_kinds_asked_for_last_are_remembered_and_older_ones_forgotten() -> None:
    estimates = learned()
    for number in range(MAX_ESTIMATES - 1):
        estimates.of(number)
    assert estimates.of("used").remaining({"denoising": 1}) == 2.0
    for number in range(MAX_ESTIMATES):
        estimates.of(number)
    assert estimates.of("used").remaining({"denoising": 1}) == UNKNOWN
