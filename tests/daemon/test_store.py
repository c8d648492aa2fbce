from __future__ import annotations

import pytest

from daemon.store import MemoryStore
from plugin_client.wire.messages import Failed, Picture, Result
from tests.daemon.conftest import blend


def result(job: str, size: int = 2) -> Result:
    return Result(job, (Picture(size, size, 3, bytes(3 * size * size)),), {"seed": 1})


def finish(store: MemoryStore, *jobs: str, size: int = 2) -> None:
    for at, job in enumerate(jobs):
        store.accept(job, blend())
        store.finish(job, result(job, size), now=at)


def test_an_outcome_takes_the_place_of_its_request() -> None:
    store = MemoryStore()
    store.accept("a", blend("words"))
    assert store.request("a") == blend("words")
    assert store.outcome("a") is None
    store.finish("a", result("a"), now=0)
    assert store.outcome("a") == result("a")
    with pytest.raises(KeyError):
        store.request("a")


def test_a_forgotten_outcome_is_gone() -> None:
    store = MemoryStore()
    finish(store, "a")
    store.forget("a")
    assert store.outcome("a") is None


def test_nothing_expires_within_the_limits() -> None:
    store = MemoryStore(max_outcomes=2, max_bytes=24, max_age=10)
    finish(store, "a", "b")
    assert store.expire(now=10) == ()


def test_the_least_recently_ended_go_first() -> None:
    store = MemoryStore(max_outcomes=2)
    for job in ("b", "a", "d", "c"):
        store.accept(job, blend())
    for at, job in enumerate("abcd"):
        store.finish(job, result(job), now=at)
    assert store.expire(now=4) == ("a", "b")
    assert store.outcome("c")


def test_pictures_are_limited_in_bytes() -> None:
    store = MemoryStore(max_bytes=30)
    finish(store, "a", "b", "c")  # of 12 bytes each
    assert store.expire(now=3) == ("a",)


def test_released_bytes_are_free_again() -> None:
    store = MemoryStore(max_bytes=30)
    finish(store, "a", "b")
    store.forget("a")
    finish(store, "c")
    assert store.expire(now=3) == ()


def test_the_newest_result_stays_however_large() -> None:
    store = MemoryStore(max_bytes=30)
    finish(store, "a", "b", size=4)
    assert store.expire(now=3) == ("a",)


def test_outcomes_grow_old() -> None:
    store = MemoryStore(max_age=10)
    finish(store, "a", "b", "c")  # at 0, 1, 2
    assert store.expire(now=11.5) == ("a", "b")


def test_failures_count_and_expire_too() -> None:
    store = MemoryStore(max_outcomes=1)
    for job in ("a", "b"):
        store.accept(job, blend())
        store.finish(job, Failed(job, "internal", "why"), now=0)
    assert store.expire(now=1) == ("a",)
