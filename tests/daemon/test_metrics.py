"""Counters and timings, read as Prometheus reads them."""

from __future__ import annotations

import socket
import sys
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.errors import DaemonError
from daemon.metrics import served
from plugin_client.wire.messages import Cancel, JobInfo
from tests.daemon.conftest import Daemons, blend, wait_until
from tests.daemon.test_listen import free_port


def read(port: int) -> dict[str, float]:
    """All samples, by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


def test_jobs_are_counted_timed_and_shown(daemons: Daemons) -> None:
    port = free_port()
    daemons.start(f"--metrics={port}")
    with daemons.client() as client:
        client.run(blend("slow"))
        client.run(blend("refuse"))
        running, waiting = client.submit(blend("endless")), client.submit(blend())
        client.wait_for_progress(running)
        client.ask(Cancel(waiting), JobInfo)
        wait_until(lambda: read(port)["kandinsky_jobs_running"] == 1, "the job is shown")
        seen = read(port)
    assert {name: seen[f"kandinsky_jobs_total {name}"] for name in ("done", "failed", "cancelled")} == {
        "done": 1,
        "failed": 1,
        "cancelled": 1,
    }
    assert 0.1 <= seen["kandinsky_job_seconds_sum"] < 10
    assert seen["kandinsky_job_seconds_count"] == 1
    assert seen["kandinsky_jobs_waiting"] == 0
    assert seen["kandinsky_worker_memory_bytes"] > 2**20


def test_a_port_that_is_taken_is_named(daemons: Daemons) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = daemons.launch(f"--metrics={port}")
        assert daemon.wait() == 1
    assert f"metrics cannot be served at 127.0.0.1:{port}: Address already in use" in daemon.log


def test_without_the_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(DaemonError, match=r"^--metrics needs a package: pip install prometheus_client$"), served(9999):
        pass
