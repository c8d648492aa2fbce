"""The daemon's state in an artist's words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from plugin_client.client import Client
from plugin_client.editor import report
from plugin_client.editor.library import limits_of
from plugin_client.wire.messages import DEFAULT_MODEL, JobInfo, MachineInfo, ModelInfo, Pong
from tests.client.scripted_daemon import PONG, Script, job_info

JOBS = [f"0000000{n}-0000-4000-8000-000000000000" for n in range(4)]


@pytest.mark.parametrize(
    ("job", "line"),
    [
        (job_info(JOBS[0], "queued", ahead=2), "Waiting, 2 before it"),
        (job_info(JOBS[0], "cancelling"), "Stopping ..."),
        (job_info(JOBS[0], "running"), "Denoising, step 1 of 3, 1 s, about 2 s left"),
    ],
)
def test_a_job_is_told_in_a_line(job: JobInfo, line: str) -> None:
    assert report.job_line(job) == line


def test_each_of_several_machines_is_told_with_what_it_works_on() -> None:
    one, other = (MachineInfo(f"studio{n}", "CPU", "float32", 0, slots=2, running=n) for n in range(2))
    several = replace(PONG, machines=(one, other))
    jobs = (job_info(JOBS[0], machines=("studio1",)), job_info(JOBS[1], "queued"))
    assert report.machine_lines(several, jobs) == "studio0: 0 of 2 at work\nstudio1: 1 of 2 at work (cat)"
    assert report.machine_lines(several, ()).endswith("studio1: 1 of 2 at work")  # another person's
    assert report.machine_lines(replace(PONG, machines=(one,)), jobs) == ""


def test_a_job_that_waits_is_told_with_the_one_that_runs() -> None:
    waiting, running = job_info(JOBS[0], "queued", ahead=1), job_info(JOBS[1], "running")
    now = f"Waiting, 1 before it. Now: {running.title}, Denoising, step 1 of 3, 1 s, about 2 s left"
    assert report.waiting_line(JOBS[0], (running, waiting)) == now
    assert report.waiting_line(JOBS[0], (waiting,)) == "Waiting, 1 before it"
    assert [report.waiting_line(job, (running, waiting)) for job in JOBS[1:3]] == ["", ""]


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (ModelInfo("a", "", "", loaded=True), "a: loaded"),
        (ModelInfo("a", "", "", loaded=False), "a: not loaded until it is needed"),
        (ModelInfo("a", "", "", loaded=False, note="its files are broken"), "a: its files are broken"),
        (
            ModelInfo(DEFAULT_MODEL, "", "", loaded=True, note="see the shell"),
            f"{DEFAULT_MODEL}: {limits_of(DEFAULT_MODEL)}",
        ),
    ],
)
def test_a_model_is_told_in_a_line(model: ModelInfo, line: str) -> None:
    assert report.model_line(model) == line


@pytest.mark.parametrize(
    ("changes", "computes", "memory"),
    [
        ({}, "On the processor (CPU), in full precision (float32)", "2.1 GB"),
        (
            {"device": "Ascend", "precision": "float16"},
            "On an Ascend accelerator (NPU), in half precision (float16)",
            "2.1 GB",
        ),
        ({"device": "", "memory": 0}, "Not known yet", "Not known yet"),
    ],
)
def test_the_hardware_is_told_in_words(changes: dict[str, object], computes: str, memory: str) -> None:
    pong = replace(PONG, **changes)  # type: ignore[arg-type]
    assert (report.computes(pong), report.memory(pong)) == (computes, memory)


def test_the_jobs_that_failed_last_are_told_with_their_reasons_the_newest_first(script: Script) -> None:
    script.jobs = tuple(
        job_info(job, "failed", ended=ended, error=error)
        for job, ended, error in zip(JOBS, (125.0, 8.0), ("not enough memory", "no such model"), strict=False)
    )
    with Client() as client:
        failures = report.ask(client).failures
    assert list(map(report.failure_line, failures)) == ["8 s ago: no such model", "2 min 5 s ago: not enough memory"]


def test_a_daemon_that_stops_says_so() -> None:
    assert report.state(replace(PONG, stopping=True)) == "Stopping when the current step is done"
    assert report.state(PONG).startswith("Running for 1")
    waiting = report.state(replace(PONG, trouble="disk-read-only"))
    assert waiting == "No job can be kept: the disk for them cannot be written"


def test_jobs_that_wait_or_run_are_listed_and_finished_ones_counted(script: Script) -> None:
    script.jobs = tuple(
        job_info(job, state) for job, state in zip(JOBS, ("done", "queued", "failed", "running"), strict=True)
    )
    with Client() as client:
        found = report.ask(client)
    assert ([job.job for job in found.jobs], found.unfetched) == ([JOBS[1], JOBS[3]], 1)
    assert isinstance(found.pong, Pong)
    kept = json.loads(report.jobs_as_json(found))
    assert [job["state"] for job in kept] == ["queued", "running"]
    assert kept[1].keys() == {"job", "title", "state", "step", "steps", "elapsed", "remaining"}
