"""The short form of the simulation of a studio."""

from __future__ import annotations

from tests.benchmarks.studio_simulation import GREEDY, simulate


def test_a_busy_studio_is_fair_and_cheap() -> None:
    outcome = simulate(machines=2, jobs=300)
    assert outcome.jobs == 300
    others = [wait for client, wait in outcome.waits.items() if client != GREEDY]
    assert max(others) < outcome.waits[GREEDY]
    assert outcome.growth < 2_000_000
