"""A lock on an open file, on Windows too."""

from __future__ import annotations

import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt
    import time

    def lock(file: IO[bytes]) -> None:
        """Wait until no other process holds the lock, and take it; closing the file gives it back."""
        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            except OSError:
                time.sleep(0.2)
            else:
                return

else:
    import fcntl

    def lock(file: IO[bytes]) -> None:
        """Wait until no other process holds the lock, and take it; closing the file gives it back."""
        fcntl.flock(file, fcntl.LOCK_EX)
