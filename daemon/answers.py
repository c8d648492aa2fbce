"""Answers that are there at once, or once the store's thread has done what they follow from."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from daemon.errors import RequestRefused, StoreError

T = TypeVar("T")


def ignore(answer: Future[T]) -> None:
    """Take no notice of what became of something."""


def answer(make: Callable[[], T]) -> Future[T]:
    """Return what `make` returns, or the RequestRefused that it raises."""
    try:
        return answered(make())
    except RequestRefused as exc:
        return refused(exc)


def answered(answer: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(answer)
    return future


def refused(refusal: RequestRefused) -> Future[T]:
    future: Future[T] = Future()
    future.set_exception(refusal)
    return future


def stored(done: Future[T]) -> T:
    """Return what the store has done for a client. Raises: RequestRefused: "store-failed"."""
    try:
        return done.result()
    except StoreError as exc:
        raise RequestRefused("store-failed", f"{exc}; try again later") from exc
