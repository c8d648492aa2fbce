"""A lock on a file that is open, on Windows too. The system drops it when its process ends, however that ends."""

from __future__ import annotations

import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def lock(file: IO[bytes]) -> None:
        """Take the lock.

        Raises:
            OSError: somebody holds it.
        """
        file.seek(2**20)  # a locked byte cannot be read by others: keep it away from what the file holds
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)

else:
    import fcntl

    def lock(file: IO[bytes]) -> None:
        """Take the lock.

        Raises:
            OSError: somebody holds it.
        """
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
