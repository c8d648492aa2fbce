"""A daemon with few descriptors: `python -m tests.daemon.limited_daemon SOFT HARD ARGUMENT...`."""

from __future__ import annotations

import resource
import sys

from daemon.__main__ import main

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
    sys.exit(main(sys.argv[3:]))
