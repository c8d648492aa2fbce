"""A daemon that a service manager starts: `python -m tests.daemon.activated_daemon DESCRIPTOR ARGUMENT...`.

Gives the process the socket as systemd does: as descriptor 3, with its own id in LISTEN_PID.
"""

from __future__ import annotations

import os
import sys

from daemon.__main__ import main

if __name__ == "__main__":
    os.dup2(int(sys.argv[1]), 3)
    os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"] = str(os.getpid()), "1"
    sys.exit(main(sys.argv[2:]))
