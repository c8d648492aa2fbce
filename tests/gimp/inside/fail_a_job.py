"""Runs in the project's own Python, beside a GIMP: has the daemon fail at a job, which asks for other weights."""

from __future__ import annotations

from contextlib import suppress

from plugin_client.client import Client
from plugin_client.wire.errors import JobFailed


def fail_a_job() -> None:
    with Client() as client, suppress(JobFailed):
        client.submit([("a picture that never was", 1.0)], seed=5, model_hash="of no weights").result()


if __name__ == "__main__":
    fail_a_job()
