"""The log where standard error is stuck or gone: nobody waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from daemon.logs import MAX_WAITING
from plugin_client.wire import paths
from plugin_client.wire.messages import Ping, Pong, Result
from tests.daemon.conftest import PATIENCE, PROJECT, Daemons, blend

FLOOD = f"""
import logging, sys
from daemon import logs
logs.configure("info")
for number in range({MAX_WAITING + 3000}):
    logging.getLogger("daemon").info("event %d %s", number, "x" * 100)
print("said", flush=True)
sys.stdin.read()
"""


def test_a_full_pipe_on_standard_error_freezes_no_daemon(daemons: Daemons) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while os.write(writer, b"x" * 4096):
            pass
    except BlockingIOError:
        os.set_blocking(writer, True)  # it is full: who writes now waits for ever
    environment = os.environ | {paths.HOME_VARIABLE: str(daemons.home), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "daemon", "--engine=tests.daemon.fake_engine:FakeEngine"]
    with subprocess.Popen(command, stderr=writer, env=environment) as daemon:
        os.close(writer)
        try:
            with daemons.client() as client:
                assert client.ask(Ping(), Pong)
                assert isinstance(client.run(blend()), Result)
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(PATIENCE) == 0
        finally:
            daemon.kill()
            os.close(reader)


def test_what_a_stuck_standard_error_did_not_take_is_counted() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FLOOD],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"said\n"  # though nobody has read a line of the log
        _, log = process.communicate(timeout=PATIENCE)
    lines = log.decode().splitlines()
    written = [line for line in lines if " event " in line]
    counted = sum(int(line.split()[3]) for line in lines if "are left out" in line)
    assert len(written) + counted == MAX_WAITING + 3000
    assert counted > 0
