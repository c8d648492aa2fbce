"""`python -m tests.daemon.mortal_daemon N ...`: kandinsky-daemon that kills itself at the Nth boundary of its store.

A boundary is the moment before or after a file is named or a change is committed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from daemon.__main__ import main
from daemon.disk_store import DiskStore


class Fate:
    """Counts boundaries, and ends this process at the last."""

    def __init__(self, boundaries: int) -> None:
        self._left = boundaries

    def around(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            self._step()
            result = action(*arguments, **named)
            self._step()
            return result

        return wrapped

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    fate = Fate(int(sys.argv[1]))
    os.replace = fate.around(os.replace)
    DiskStore._commit = fate.around(DiskStore._commit)  # type: ignore[method-assign]
    sys.exit(main(sys.argv[2:]))
