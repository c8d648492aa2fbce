"""Keeps the log of a daemon that a client has started short while the daemon runs.

The log is a file that is the standard error of the daemon and of its worker, so it can be neither renamed nor opened
anew by one of them: its content is copied, and it is emptied. Both append, so both go on at its beginning. What is
written in the moment between the two is lost.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plugin_client.wire.paths import MAX_LOG_BYTES, old_log

log = logging.getLogger(__name__)

LOOK_PAUSE = 1.0  # s


@contextmanager
def kept_short(path: Path) -> Iterator[None]:
    """While this lasts, set the content of the log at `path` aside whenever it has more than MAX_LOG_BYTES.

    Does nothing where standard error is something else than this file: whoever reads it keeps it short.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(path, ended), name="log file", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _watch(path: Path, ended: threading.Event) -> None:
    while not ended.wait(LOOK_PAUSE):
        try:
            if _is_standard_error(path) and path.stat().st_size > MAX_LOG_BYTES:
                shutil.copyfile(path, old_log(path))
                os.truncate(path, 0)
        except OSError as exc:
            log.warning("the log %s grows, since it cannot be set aside: %s", path, exc.strerror)
            return


def _is_standard_error(path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(2), path.stat())
    except OSError:  # it is closed, or there is no such file
        return False
