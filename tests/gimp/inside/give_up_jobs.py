"""Runs in the project's own Python, beside a GIMP: cancels every job that the daemon has queued or runs."""

from __future__ import annotations

from plugin_client.client import Client


def give_up_jobs() -> None:
    with Client() as client:
        for info in client.jobs():
            if info.state in ("queued", "running"):
                client.job(info.job).cancel()


if __name__ == "__main__":
    give_up_jobs()
