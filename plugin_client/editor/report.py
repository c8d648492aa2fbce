"""The daemon's state: questions to it, and its answers in an artist's words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from plugin_client.client import Client
from plugin_client.editor.library import limits_of
from plugin_client.editor.titles import progress_line
from plugin_client.editor.translation import _
from plugin_client.formatting import clock, duration, last_failures, size
from plugin_client.wire.messages import JobInfo, MachineInfo, ModelInfo, Pong, StoreTrouble

DEVICES = {"CPU": _("the processor (CPU)"), "Ascend": _("an Ascend accelerator (NPU)")}
PRECISIONS = {
    "float32": _("full precision (float32)"),
    "float16": _("half precision (float16)"),
    "bfloat16": _("half precision (bfloat16)"),
}
# Why a daemon takes no job.
TROUBLES: dict[StoreTrouble, str] = {
    "disk-full": _("No job can be kept: the disk for them is full"),
    "disk-read-only": _("No job can be kept: the disk for them cannot be written"),
}


@dataclass(frozen=True)
class Report:
    """The state of a daemon that runs."""

    pong: Pong
    models: tuple[ModelInfo, ...]
    jobs: tuple[JobInfo, ...]  # that wait or run, in their order
    unfetched: int  # finished jobs whose pictures nobody has yet taken
    failures: tuple[JobInfo, ...] = ()  # that failed last, the newest first


def ask(client: Client) -> Report:
    """Ask a daemon for its state. Errors as of Client.jobs."""
    known = client.jobs()
    jobs = tuple(job for job in known if job.state in ("queued", "running", "cancelling"))
    unfetched = sum(job.state == "done" for job in known)
    return Report(client.ping(), client.models(), jobs, unfetched, tuple(last_failures(known)))


def state(pong: Pong) -> str:
    """A line about how long the daemon has been running, that it stops, or what it waits for."""
    if pong.stopping:
        return _("Stopping when the current step is done")
    if pong.trouble:
        return TROUBLES[pong.trouble]
    return _("Running for {time}").format(time=clock(pong.uptime))


def computes(pong: Pong) -> str:
    """A line about the hardware, such as "On the processor (CPU), in full precision (float32)"."""
    if not pong.device:
        return _("Not known yet")
    device = DEVICES.get(pong.device, pong.device)
    return _("On {device}, in {precision}").format(
        device=device, precision=PRECISIONS.get(pong.precision, pong.precision)
    )


def memory(pong: Pong) -> str:
    """The size of the memory that the models take."""
    return size(pong.memory) if pong.memory else _("Not known yet")


def machine_lines(pong: Pong, jobs: Sequence[JobInfo]) -> str:
    """A line for each machine where there are several, such as "studio3: 1 of 2 at work (0.3 a cat, seed 7)"; else "".

    Of the jobs only this user's own are known by their titles.
    """
    return "\n".join(_machine_line(one, jobs) for one in pong.machines) if len(pong.machines) > 1 else ""


def _machine_line(machine: MachineInfo, jobs: Sequence[JobInfo]) -> str:
    line = _("{name}: {running} of {slots} at work").format(
        name=machine.name, running=machine.running, slots=machine.slots
    )
    own = ", ".join(job.title for job in jobs if machine.name in job.machines)
    return f"{line} ({own})" if own else line


def model_line(model: ModelInfo) -> str:
    """A line about a model, such as "kandinsky-2-1: loaded"."""
    loaded = _("loaded") if model.loaded else _("not loaded until it is needed")
    return f"{model.name}: {limits_of(model.name) or model.note or loaded}"


def job_line(job: JobInfo) -> str:
    """A line about a job, such as "Denoising, step 12 of 50, 8 s, about 25 s left"."""
    if job.state == "queued":
        return _("Waiting, {number} before it").format(number=job.ahead)
    return _("Stopping ...") if job.state == "cancelling" else progress_line(job)


def failure_line(job: JobInfo) -> str:
    """A line about a job that has failed, such as "2 min 5 s ago: not enough memory"."""
    ago = duration(max(0.0, job.ended), _)
    return _("{time} ago: {reason}").format(time=ago, reason=job.error)


def waiting_line(job: str, known: Sequence[JobInfo]) -> str:
    """A line about a job that waits: how many are before it, and how far the one that runs is; "" if it does not wait.

    The one that runs may be of another dialog, or of a script.
    """
    own = next((info for info in known if info.job == job), None)
    if own is None or own.state != "queued":
        return ""
    running = next((info for info in known if info.state == "running"), None)
    if running is None:
        return job_line(own)
    return _("{waiting}. Now: {title}, {progress}").format(
        waiting=job_line(own), title=running.title, progress=progress_line(running)
    )


def jobs_as_json(report: Report) -> str:
    """The jobs of a report as JSON, for a script."""
    kept = ("job", "title", "state", "step", "steps", "elapsed", "remaining")
    return json.dumps([{name: getattr(job, name) for name in kept} for job in report.jobs], ensure_ascii=False)
