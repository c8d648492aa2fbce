"""What the daemon's child processes have in common."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # of prctl()


def start(module: str, arguments: Sequence[str], stdin: int | None = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """Start a module of ours as a process whose standard output is read here. Raises: OSError."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"},  # imports what we would
        start_new_session=True,  # Ctrl-C in a terminal goes to the daemon alone, which ends its jobs first
    )


def die_with_parent() -> None:
    """Have the system end this process when the thread that started it ends, also while this process is stopped."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
