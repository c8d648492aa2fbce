"""The commands about the daemon and its jobs, and the connection of those that make pictures."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from plugin_client import history, launch, origins, pictures
from plugin_client.canvas import Canvas
from plugin_client.cli.outputs import check_places, check_same_recipes, numbered, write_drawn, write_pictures
from plugin_client.cli.terminal import follow, table, tell, warn
from plugin_client.client import Client, is_region
from plugin_client.formatting import clock, last_failures, size, transferred
from plugin_client.job import BlendResult, Job
from plugin_client.wire.connection_file import read_key_file, write_connection
from plugin_client.wire.errors import DaemonNotRunning, JobFailed, Refused, UsageError
from plugin_client.wire.lock import DaemonLock
from plugin_client.wire.messages import DEFAULT_MODEL, AnyRequest, JobInfo, MachineInfo, Pong, StoreTrouble
from plugin_client.wire.paths import log_file, parse_endpoint, state_folder

TROUBLES: dict[StoreTrouble, str] = {
    "disk-full": "no job can be kept: the disk for them is full",
    "disk-read-only": "no job can be kept: the disk for them cannot be written",
}


@contextmanager
def client_offering(model: str, arguments: argparse.Namespace) -> Iterator[Client]:
    """Connect to the daemon, or start one that offers `model`. Errors as of launch.connect_or_start.

    A daemon that was started here for a model that cannot be loaded is stopped: it would refuse every other name.
    """
    with launch.connect_or_start(arguments.endpoint, launch.model_arguments([model])) as client:
        try:
            yield client
        except JobFailed as exc:
            if exc.code == "load-failed":
                launch.stop_if_started_here(client, arguments.endpoint)
            raise
        except Refused as exc:
            if exc.code == "unknown-model":
                raise Refused(exc.code, f"{exc}, or run `kandinsky-blend stop` and ask again") from exc
            raise


def client_for_recipe(
    blend: AnyRequest, source: Path, arguments: argparse.Namespace
) -> AbstractContextManager[Client, bool | None]:
    """Connect to make the picture in `source` again; a daemon is started for the default or a given model only.

    A file that anybody may have made chooses no model that is downloaded.

    Raises:
        UsageError: no daemon runs, and the recipe names another model.
    """
    if "model" in vars(arguments) or blend.model in ("", DEFAULT_MODEL):
        return client_offering(blend.model, arguments)
    try:
        return Client(arguments.endpoint)
    except DaemonNotRunning as exc:
        wanted = "FOLDER" if blend.model.endswith("/") else "NAME"
        raise UsageError(
            f"{source} was made with the model {blend.model!r}, and no daemon runs: start one that offers it, "
            f"or give --model {wanted}"
        ) from exc


def fetch(arguments: argparse.Namespace) -> None:
    """Wait for a job and write its pictures. Ctrl-C leaves the job as it is."""
    check_places(arguments.output)
    with Client(arguments.endpoint) as client:
        job = client.job(_full_id(client, arguments.job))
        result = follow(job, arguments)
        outputs = numbered(arguments.output, len(result.pictures))
        check_places(*outputs)
        if not arguments.force:
            check_same_recipes(job, outputs, result)
        if sheet := _drawn_into(job, result):
            write_drawn(job, outputs, result, sheet)
        else:
            write_pictures(job, outputs, result)
        job.release()
        origins.forget(job.id)
    tell(*outputs)


def _drawn_into(job: Job, result: BlendResult) -> Canvas | None:
    """Return what a job has drawn into, as far as it is found; a warning says where a file lacks it."""
    lacks = "this is the region alone" if is_region(result) else "the file does not hold what was drawn into"
    try:
        with pictures.warnings_told(warn):
            sheet = origins.find(job.id)
    except UsageError as exc:
        warn(f"{exc}: {lacks}")
        return None
    if sheet is None and is_region(result):
        warn(f"it is not known here what was drawn into: {lacks}")
    return sheet


def status(arguments: argparse.Namespace) -> None:
    """Show the daemon, its jobs, and why the last of them have failed."""
    with Client(arguments.endpoint) as client:
        pong, jobs = client.ping(), client.jobs()
    hardware = f", {pong.precision} on {pong.device}" if pong.device else ""
    memory = f", {size(pong.memory)} of memory" if pong.memory else ""
    lines = [f"daemon {pong.version} at {parse_endpoint(arguments.endpoint)}, process {pong.pid}"]
    lines += [f"up {clock(pong.uptime)}{hardware}{memory}; {pong.running} running, {pong.waiting} waiting"]
    if pong.trouble:
        lines += [TROUBLES[pong.trouble]]
    if len(pong.machines) > 1:
        heads = ("MACHINE", "JOBS", "SLOTS", "MEMORY", "COMPUTES", "WORKS ON")
        lines += ["", table(heads, [_machine_row(machine, jobs) for machine in pong.machines])]
    if jobs:
        lines += ["", table(("JOB", "STATE", "STEP", "TIME", "LEFT", "WHAT"), map(_row, jobs))]
    if failed := last_failures(jobs):
        rows = [(job.job[:8], f"{clock(max(0.0, job.ended))} ago", job.error) for job in failed]
        lines += ["", table(("JOB", "FAILED", "WHY"), rows)]
    tell(*lines)


def _machine_row(machine: MachineInfo, jobs: Sequence[JobInfo]) -> tuple[str, ...]:
    """Return the line of a machine in the table of `status`; of what it works on, the jobs of this user alone."""
    own = " ".join(job.job[:8] for job in jobs if machine.name in job.machines)
    memory = size(machine.memory) if machine.memory else "-"
    hardware = f"{machine.precision} on {machine.device}" if machine.device else "-"
    return machine.name, str(machine.running), str(machine.slots), memory, hardware, own or "-"


def _row(job: JobInfo) -> tuple[str, ...]:
    """Return the line of a job in the table of `status`."""
    step = transferred(job) or (f"{job.step}/{job.steps}" if job.steps else "-")
    left = clock(job.remaining) if job.remaining > 0 else "-"
    return job.job[:8], job.state, step, clock(job.elapsed), left, job.title


def cancel(arguments: argparse.Namespace) -> None:
    """Cancel a job. One that is over stays as it is."""
    with Client(arguments.endpoint) as client:
        info = client.job(_full_id(client, arguments.job)).cancel()
    tell(f"job {info.job[:8]} is {info.state}")


def _full_id(client: Client, beginning: str) -> str:
    """Return the id of the one job whose id begins so. Raises: UsageError."""
    found = [info.job for info in client.jobs() if info.job.startswith(beginning.lower())]
    if len(found) != 1:
        many = "no job's id begins" if not found else f"the ids of {len(found)} jobs begin"
        raise UsageError(f"{many} with {beginning!r}: `kandinsky-blend status` lists them")
    return found[0]


def start(arguments: argparse.Namespace) -> None:
    """Start a daemon in the background."""
    given = launch.model_arguments(arguments.model)
    for name in ("device", "precision"):
        if value := getattr(arguments, name):
            given += [f"--{name}", value]
    with launch.start(arguments.endpoint, given) as client:
        pid = client.ping().pid
    tell(f"daemon started, process {pid}; its log is {log_file(parse_endpoint(arguments.endpoint))}")


def stop(arguments: argparse.Namespace) -> None:
    """Stop the daemon, and say what becomes of its jobs."""
    with Client(arguments.endpoint) as client:
        pong, jobs = client.ping(), client.jobs()
    ended = launch.stop(arguments.endpoint)
    tell("daemon stopped" if ended else "the daemon stops when the step that it computes is done", *_left(pong, jobs))


def _left(pong: Pong, jobs: Sequence[JobInfo]) -> list[str]:
    """Return the lines on what a daemon leaves when it stops."""
    results = sum(info.state == "done" for info in jobs)
    if not pong.keeps_jobs:
        return ["results that were not fetched are gone: it kept them in memory"] if results else []
    counts = {"unfinished": pong.running + pong.waiting, "not fetched": results}
    kept = " and ".join(f"{_jobs(count)} {which}" for which, count in counts.items() if count)
    return [f"{kept}: kept, and there when it is started again"] if kept else []


def join(arguments: argparse.Namespace) -> None:
    """Keep the key of a daemon that somebody else runs, where clients of its address look for it."""
    endpoint = read_key_file(arguments.key)
    write_connection(endpoint.address, endpoint)
    tell(f"the key is kept: --endpoint {endpoint.address} reaches the daemon")


def forget(arguments: argparse.Namespace) -> None:
    """Delete an editor's results, and of jobs what is kept: of those that are over, and where no daemon runs all."""
    history.discard_all()
    try:
        client = Client(arguments.endpoint)
    except DaemonNotRunning:
        _delete_kept(parse_endpoint(arguments.endpoint))
        return
    with client:
        over = [info.job for info in client.jobs() if info.state in ("done", "failed", "cancelled")]
        for job in over:
            client.release(job)
            origins.forget(job)
    tell(f"forgot {_jobs(len(over))}")


def _delete_kept(address: str) -> None:
    """Delete all that a daemon at `address` has kept, while none can start. Raises: EndpointError, UsageError."""
    folder = state_folder(address)
    origins.forget_all()
    if not folder.exists():
        tell("nothing is kept")
        return
    with DaemonLock(address):
        try:
            shutil.rmtree(folder)
        except OSError as exc:
            raise UsageError(f"{exc.filename} cannot be deleted: {exc.strerror}") from exc
    tell(f"deleted {folder}")


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
