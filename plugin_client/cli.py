"""kandinsky-blend: blends from the shell. arguments.py says what can be asked for, and what it means."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from plugin_client import launch, pictures
from plugin_client.arguments import ANIMATIONS, GivenItem, parse
from plugin_client.client import SETTINGS, BlendResult, Client, Job, Work, make_blend, with_model_here
from plugin_client.sweep import Sweep, frames_of
from plugin_client.terminal import NoProgress, ProgressLine, duration, size, table
from plugin_client.wire.endpoint import parse_endpoint
from plugin_client.wire.errors import DaemonNotRunning, JobFailed, KandinskyError, ProtocolError, Refused, UsageError
from plugin_client.wire.messages import Blend, Item, JobInfo, TextItem
from plugin_client.wire.recipe import blend_from_recipe, with_provenance
from plugin_client.words import changes, in_words, recipe_text

FAILED, MISUSED, INTERRUPTED = 1, 2, 130  # exit codes


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code: 0, 1 when it failed, 2 when it was used wrongly, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not know all letters of a prompt
    arguments = parse(argv)
    try:
        _COMMANDS[arguments.command](arguments)
    except UsageError as exc:
        return _complain(in_words(exc), MISUSED)
    except KandinskyError as exc:
        return _complain(str(exc), FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _complain(sentence: str, code: int) -> int:
    print(f"kandinsky-blend: {sentence}", file=sys.stderr)
    return code


# --- making pictures ---------------------------------------------------------------------------------------------


def generate(arguments: argparse.Namespace) -> None:
    """Make new pictures."""
    settings = _settings(arguments)
    outputs = _numbered(arguments.output, settings.get("count", 1))
    grids = [arguments.grid] if arguments.grid else []
    _check_folders(*outputs, *grids)
    _check_losses(arguments, outputs, grids)
    blend = make_blend(_items(arguments), **settings)
    with _client_offering(blend.model, arguments) as client:
        _say(arguments, f"seed {blend.seed}")
        job = client.submit_blend(blend)
        result = _follow_or_cancel(job, arguments)
        _write_pictures(job, outputs, result)
        for grid in grids:
            with _keeping(job, grid):
                pictures.write_grid(grid, result.pictures)
        job.release()
    _tell(*outputs, *grids)


def sweep(arguments: argparse.Namespace) -> None:
    """Make pictures from one set of weights to another."""
    is_animation = arguments.output.suffix.lower() in ANIMATIONS
    outputs = [arguments.output] if is_animation else _numbered(arguments.output, arguments.frames)
    _check_folders(*outputs)
    _check_losses(arguments, outputs, [])
    frames = frames_of(make_blend(_items(arguments), **_settings(arguments)), arguments.to, arguments.frames)
    with _client_offering(frames[0].model, arguments) as client:
        _say(arguments, f"seed {frames[0].seed}")
        work = Sweep(client.submit_blend, frames)
        result = _follow_or_cancel(work, arguments)
        _write_frames(arguments, outputs, result)
        work.release()
    _tell(*outputs)


def _write_frames(arguments: argparse.Namespace, outputs: Sequence[Path], result: BlendResult) -> None:
    """All frames in one file, or each in its own."""
    try:
        if len(outputs) == 1:
            pictures.write_animation(outputs[0], result.pictures, arguments.frame_time)
        else:
            for output, picture, recipe in zip(outputs, result.pictures, result.recipes, strict=True):
                pictures.write_png(output, picture, recipe)
    except OSError as exc:
        raise KandinskyError(
            f"{outputs[0].parent} cannot be written to: {exc.strerror or exc}; the daemon keeps the pictures: "
            "kandinsky-blend status lists their jobs, and fetch writes them"
        ) from exc


def again(arguments: argparse.Namespace) -> None:
    """Make a picture again from the recipe in its file."""
    source: Path = arguments.picture
    output = arguments.output or source.with_name(f"{source.stem}-again.png")
    _check_folders(output)
    original, before = pictures.read_recipe(source), source.read_bytes()
    blend = _changed(_recorded(original, source), arguments)
    with _client_for_recipe(blend, source, arguments) as client:
        job = client.submit_blend(with_model_here(blend, client))
        result = _follow_or_cancel(job, arguments)
        recipe = with_provenance(result.recipes[0], original)
        with _keeping(job, output):
            pictures.write_png(output, result.pictures[0], recipe)
        job.release()
    _tell(output)
    same = output.read_bytes() == before
    _say(arguments, "the same picture, byte for byte" if same else changes(original, recipe, vars(arguments)))


def fetch(arguments: argparse.Namespace) -> None:
    """Wait for a job and write its pictures. Ctrl-C leaves the job as it is."""
    _check_folders(arguments.output)
    with Client(arguments.endpoint) as client:
        job = client.job(_full_id(client, arguments.job))
        result = _follow(job, arguments)
        outputs = _numbered(arguments.output, len(result.pictures))
        _write_pictures(job, outputs, result)
        job.release()
    _tell(*outputs)


def show(arguments: argparse.Namespace) -> None:
    """Show the recipe in a picture's file."""
    recipe = pictures.read_recipe(arguments.picture)
    _tell(json.dumps(recipe, indent=2) if arguments.json else recipe_text(recipe, _recorded(recipe, arguments.picture)))


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The given settings of a blend."""
    return {name: value for name, value in vars(arguments).items() if name in SETTINGS or name == "size"}


def _given(arguments: argparse.Namespace) -> list[GivenItem]:
    given: list[GivenItem] = getattr(arguments, "items", [])
    return given


def _items(arguments: argparse.Namespace) -> list[Item]:
    given = _given(arguments)
    if not given:
        raise UsageError("there is nothing to blend: give at least one --prompt TEXT WEIGHT or --image FILE WEIGHT")
    backdrop = pictures.colour(arguments.backdrop)
    return [
        TextItem(source, weight)
        if kind == "prompt"
        else pictures.picture_item(Path(source), weight, fit=arguments.fit, backdrop=backdrop)
        for kind, source, weight in given
    ]


def _recorded(recipe: dict[str, Any], source: Path) -> Blend:
    try:
        return blend_from_recipe(recipe)
    except ProtocolError as exc:
        raise UsageError(f"{source} cannot be made again: {in_words(exc)}") from exc


def _changed(blend: Blend, arguments: argparse.Namespace) -> Blend:
    """The recorded blend with what was given on the command line."""
    settings = _settings(arguments)
    if size := settings.pop("size", None):
        settings["width"], settings["height"] = size
    if weights := getattr(arguments, "weights", None):
        if len(weights) != len(blend.items):
            raise UsageError(f"{len(weights)} weights were given, and the recipe has {len(blend.items)} items")
        settings["items"] = tuple(replace(item, weight=w) for item, w in zip(blend.items, weights, strict=True))
    if "model" in settings:
        settings["model_hash"] = ""
    return replace(blend, **settings)


@contextmanager
def _client_offering(model: str, arguments: argparse.Namespace) -> Iterator[Client]:
    """A client of the daemon that runs, or of one that is started to offer `model`.

    A daemon that was started for a model that cannot be loaded does not stay: it would refuse every other name.
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


def _client_for_recipe(
    blend: Blend, source: Path, arguments: argparse.Namespace
) -> AbstractContextManager[Client, bool | None]:
    """A client to make a picture again with. A file that anybody may have made chooses no model to be downloaded."""
    if "model" in vars(arguments) or blend.model in ("", launch.DEFAULT_MODEL):
        return _client_offering(blend.model, arguments)
    try:
        return Client(arguments.endpoint)
    except DaemonNotRunning as exc:
        wanted = "FOLDER" if blend.model.endswith("/") else "NAME"
        raise UsageError(
            f"{source} was made with the model {blend.model!r}, and no daemon runs: start one that offers it, "
            f"or give --model {wanted}"
        ) from exc


# --- following a job ---------------------------------------------------------------------------------------------


def _follow_or_cancel(job: Work, arguments: argparse.Namespace) -> BlendResult:
    if job.ahead:
        _say(arguments, f"waiting for {job.ahead} other {'job' if job.ahead == 1 else 'jobs'}")
    try:
        return _follow(job, arguments)
    except KeyboardInterrupt:
        job.cancel()
        print("kandinsky-blend: cancelled", file=sys.stderr)
        raise


def _follow(job: Work, arguments: argparse.Namespace) -> BlendResult:
    line = NoProgress() if arguments.quiet else ProgressLine()
    try:
        for progress in job.watch():
            line.show(progress)
    finally:
        line.clear()
    result = job.result()
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return result


@contextmanager
def _keeping(job: Job, output: Path) -> Iterator[None]:
    """While a file is written: the daemon keeps the pictures, so a full disk loses nothing."""
    try:
        yield
    except OSError as exc:
        raise KandinskyError(
            f"{output} cannot be written: {exc.strerror or exc}; the daemon keeps the pictures, so free some space "
            f"or choose another place, and run: kandinsky-blend fetch {job.id[:8]} -o FILE.png"
        ) from exc


def _write_pictures(job: Job, outputs: Sequence[Path], result: BlendResult) -> None:
    for output, picture, recipe in zip(outputs, result.pictures, result.recipes, strict=True):
        with _keeping(job, output):
            pictures.write_png(output, picture, recipe)


def _numbered(output: Path, count: int) -> list[Path]:
    """The files of `count` pictures: FILE.png, or FILE-1.png, FILE-2.png, ..."""
    if count == 1:
        return [output]
    return [output.with_name(f"{output.stem}-{n}{output.suffix}") for n in range(1, count + 1)]


def _check_folders(*outputs: Path) -> None:
    """Find out before an hour of work that it could not be written."""
    for output in outputs:
        if not output.parent.is_dir():
            raise UsageError(f"{output} cannot be written: there is no folder {output.parent}")
        if output.is_dir():
            raise UsageError(f"{output} cannot be written: it is a folder")


def _check_losses(arguments: argparse.Namespace, outputs: Sequence[Path], grids: Sequence[Path]) -> None:
    """Refuse to write over a given picture, and a sheet over a new one."""
    given = {Path(source).resolve() for kind, source, _ in _given(arguments) if kind == "image"}
    for output in (*outputs, *grids):
        if output.resolve() in given:
            raise UsageError(f"{output} is one of the given pictures, which would be lost: write to another file")
    for grid in grids:
        if grid.resolve() in {output.resolve() for output in outputs}:
            raise UsageError(f"{grid} is a picture of its own already: give --grid another file")


def _tell(*lines: object) -> None:
    """Print what was asked for, at once: so that what becomes of stdout is known while something can be said of it."""
    try:
        print(*lines, sep="\n", flush=True)
    except OSError as exc:
        # What could not be written waits in a buffer, and Python would complain of it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise KandinskyError(f"standard output cannot be written: {exc.strerror}") from exc


def _say(arguments: argparse.Namespace, text: str) -> None:
    if not arguments.quiet:
        print(text, file=sys.stderr)


# --- the daemon and its jobs -------------------------------------------------------------------------------------


def status(arguments: argparse.Namespace) -> None:
    """Show the daemon and its jobs."""
    with Client(arguments.endpoint) as client:
        pong, jobs = client.ping(), client.jobs()
    hardware = f", {pong.precision} on {pong.device}" if pong.device else ""
    memory = f", {size(pong.memory)} of memory" if pong.memory else ""
    lines = [f"daemon {pong.version} at {parse_endpoint(arguments.endpoint)}, process {pong.pid}"]
    lines += [f"up {duration(pong.uptime)}{hardware}{memory}; {pong.running} running, {pong.waiting} waiting"]
    if jobs:
        lines += ["", table(("JOB", "STATE", "STEP", "TIME", "LEFT", "WHAT"), map(_row, jobs))]
    _tell(*lines)


def _row(job: JobInfo) -> tuple[str, ...]:
    step = f"{job.step}/{job.steps}" if job.steps else "-"
    left = duration(job.remaining) if job.remaining > 0 else "-"
    what = f"{job.title}: {job.error}" if job.error else job.title
    return job.job[:8], job.state, step, duration(job.elapsed), left, what


def cancel(arguments: argparse.Namespace) -> None:
    """Cancel a job. One that is over stays as it is."""
    with Client(arguments.endpoint) as client:
        info = client.job(_full_id(client, arguments.job)).cancel()
    _tell(f"job {info.job[:8]} is {info.state}")


def _full_id(client: Client, beginning: str) -> str:
    """The id of the one job that begins so."""
    found = [info.job for info in client.jobs() if info.job.startswith(beginning.lower())]
    if len(found) != 1:
        many = "no job's id begins" if not found else f"the ids of {len(found)} jobs begin"
        raise UsageError(f"{many} with {beginning!r}: `kandinsky-blend status` lists them")
    return found[0]


def models(arguments: argparse.Namespace) -> None:
    """List the models that the daemon offers."""
    with Client(arguments.endpoint) as client:
        offered = client.models()
    rows = [(model.name, "yes" if model.loaded else "no", model.hash[:12] or "-", model.note) for model in offered]
    _tell(table(("MODEL", "LOADED", "HASH", "NOTE"), rows))


def start(arguments: argparse.Namespace) -> None:
    """Start a daemon in the background."""
    given = launch.model_arguments(arguments.model)
    for name in ("device", "precision"):
        if value := getattr(arguments, name):
            given += [f"--{name}", value]
    with launch.start(arguments.endpoint, given) as client:
        pid = client.ping().pid
    _tell(f"daemon started, process {pid}; its log is {launch.log_file(parse_endpoint(arguments.endpoint))}")


def stop(arguments: argparse.Namespace) -> None:
    """Cancel what runs and stop the daemon."""
    ended = launch.stop(arguments.endpoint)
    _tell("daemon stopped" if ended else "the daemon stops when the step that it computes is done")


_COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    command.__name__: command for command in (generate, sweep, again, show, fetch, status, cancel, models, start, stop)
}
