"""Durations, sizes and the stages of a job in words, for the shell and the editors.

`translate` is gettext's, or what else turns one of this module's texts into another language.
"""

from __future__ import annotations

from collections.abc import Iterable

from plugin_client.wire.marking import N_
from plugin_client.wire.messages import JobInfo, Progress, Stage
from plugin_client.wire.titles import Translate

SHOWN_FAILURES = 5
STAGES: dict[Stage, str] = {
    "queued": N_("Waiting"),
    "downloading": N_("Downloading the model"),
    "loading": N_("Loading the model"),
    "encoding": N_("Encoding pictures and prompts"),
    "prior": N_("Running the prior"),
    "denoising": N_("Denoising"),
    "decoding": N_("Decoding"),
}


def stage_name(progress: Progress | JobInfo, translate: Translate = str) -> str:
    """Return the name of the stage that a job is in."""
    if progress.stage == "loading" and not progress.steps:  # the items are looked at, and nothing is loaded yet
        return translate(N_("Preparing"))
    return translate(STAGES[progress.stage])


def last_failures(jobs: Iterable[JobInfo]) -> list[JobInfo]:
    """Return the jobs that failed last, of which the reasons are shown; the newest first."""
    failed = [job for job in jobs if job.state == "failed"]
    return sorted(failed, key=lambda job: job.ended)[:SHOWN_FAILURES]


def clock(seconds: float) -> str:
    """Return a duration as `1:05`, or `2:03:04` from an hour on."""
    hours, minutes, rest = _parts(seconds)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float, translate: Translate = str) -> str:
    """Return a duration in words, such as "8 s", "2 min 5 s", and from an hour on "1 h 20 min"."""
    hours, minutes, rest = _parts(seconds)
    words = [translate(N_("{hours} h")).format(hours=hours)] if hours else []
    if minutes:
        words.append(translate(N_("{minutes} min")).format(minutes=minutes))
    if not hours and (rest or not minutes):
        words.append(translate(N_("{seconds} s")).format(seconds=rest))
    return " ".join(words)


def size(count: int) -> str:
    """Return a number of bytes as `2.1 GB`, or `640 MB` below one."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def transferred(progress: Progress | JobInfo, translate: Translate = str) -> str:
    """Return `1.2 GB of 13.0 GB, 11 MB/s` of a job that is "downloading", whose steps are bytes; "" of any other."""
    if progress.stage != "downloading":
        return ""
    words = translate(N_("{done} of {total}")).format(done=size(progress.step), total=size(progress.steps))
    if progress.remaining <= 0:
        return words
    return f"{words}, {size(int((progress.steps - progress.step) / progress.remaining))}/s"


def _parts(seconds: float) -> tuple[int, int, int]:
    """Split a duration into whole hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return minutes // 60, minutes % 60, rest
