"""Errors of either side by their class, code and data, whatever their sentences are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from kandinsky_backend.errors import BackendError
from plugin_client.wire.errors import KandinskyError

E = TypeVar("E", bound=KandinskyError | BackendError)


@contextmanager
def refused(kind: type[E], code: str, /, **data: object) -> Iterator[pytest.ExceptionInfo[E]]:
    """Expect an error of exactly this class and code, with at least these data.

    A function as a value of `data` is called with what was found, and must return true.
    """
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    assert (type(error), error.code) == (kind, code), str(error)
    for name, expected in data.items():
        found = error.data[name]
        assert expected(found) if callable(expected) else found == expected, (name, found)
