"""How the daemon is: what it is asked, and its answers in an artist's words."""

from __future__ import annotations

import json
from dataclasses import dataclass

from plugin_client.client import Client
from plugin_client.gimp.titles import progress_line
from plugin_client.gimp.translation import _
from plugin_client.terminal import duration, size
from plugin_client.wire.messages import JobInfo, ModelInfo, Pong

DEVICES = {"CPU": _("the processor (CPU)"), "Ascend": _("an Ascend accelerator (NPU)")}
PRECISIONS = {
    "float32": _("full precision (float32)"),
    "float16": _("half precision (float16)"),
    "bfloat16": _("half precision (bfloat16)"),
}


@dataclass(frozen=True)
class Report:
    """What a daemon that runs says of itself. `jobs` are those that wait or run, in their order, and `unfetched` is
    the number of those whose pictures nobody has yet taken."""

    pong: Pong
    models: tuple[ModelInfo, ...]
    jobs: tuple[JobInfo, ...]
    unfetched: int


def ask(client: Client) -> Report:
    known = client.jobs()
    jobs = tuple(job for job in known if job.state in ("queued", "running", "cancelling"))
    return Report(client.ping(), client.models(), jobs, sum(job.state == "done" for job in known))


def state(pong: Pong) -> str:
    if pong.stopping:
        return _("Stopping when the current step is done")
    return _("Running for {time}").format(time=duration(pong.uptime))


def computes(pong: Pong) -> str:
    """E.g. "On the processor (CPU), in full precision (float32)"."""
    if not pong.device:
        return _("Not known yet")
    device = DEVICES.get(pong.device, pong.device)
    return _("On {device}, in {precision}").format(
        device=device, precision=PRECISIONS.get(pong.precision, pong.precision)
    )


def memory(pong: Pong) -> str:
    return size(pong.memory) if pong.memory else _("Not known yet")


def model_line(model: ModelInfo) -> str:
    """E.g. "kandinsky-2-1: loaded"."""
    loaded = _("loaded") if model.loaded else _("not loaded until it is needed")
    return f"{model.name}: {model.note or loaded}"


def job_line(job: JobInfo) -> str:
    """E.g. "Denoising, step 12 of 50, 8 s, about 25 s left"."""
    if job.state == "queued":
        return _("Waiting, {number} before it").format(number=job.ahead)
    return _("Stopping ...") if job.state == "cancelling" else progress_line(job)


def jobs_as_json(report: Report) -> str:
    """For a script."""
    kept = ("job", "title", "state", "step", "steps", "elapsed", "remaining")
    return json.dumps([{name: getattr(job, name) for name in kept} for job in report.jobs], ensure_ascii=False)
