"""Sweeps: the same blend again and again, from one set of weights to another.

    with Client() as client:
        frames = frames_of(make_blend([("a cat", 1), ("night.jpg", 0)]), to=(0, 1), count=8)
        sweep = Sweep(client.submit_blend, frames)
        images = sweep.result().images

To the daemon a sweep is as many blends. It keeps the embeddings of items, and all frames have one seed, so from the
second frame on only denoising and decoding are left to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from plugin_client.given import plain
from plugin_client.job import BlendResult, Job, Work
from plugin_client.wire import codec
from plugin_client.wire.errors import BadArgument, BadValue, JobCancelled, UsageError
from plugin_client.wire.limits import BOUNDS
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Blend, Progress
from plugin_client.wire.schema import Real, Whole

# The daemon keeps them all until the last is there, so no more of them than of the variations of one job.
MIN_FRAMES, MAX_FRAMES = 2, 64

_FRAMES = Whole((MIN_FRAMES, MAX_FRAMES))
_WEIGHT = Real(BOUNDS["TextItem.weight"])


def frames_of(blend: Blend, to: Sequence[float], count: int) -> tuple[Blend, ...]:
    """Return the blends of a sweep: the first has the weights of `blend`, the last the weights `to`, item by item.

    Raises:
        UsageError: a value is wrong, and the text names it; or a frame cannot be made, and the text says which.
    """
    if len(to) != len(blend.items):
        raise UsageError(
            N_("to has {count} weights, and there are {items} items: give one for each"),
            "sweep-weights",
            count=len(to),
            items=len(blend.items),
        )
    if blend.count != 1:
        raise UsageError(
            N_("count is {count}: a frame of a sweep is one picture, so it must be 1"), "sweep-count", count=blend.count
        )
    try:
        count = _FRAMES.check(plain(count, int), ("frames",))
        last = [_WEIGHT.check(plain(weight, float), ("to", n)) for n, weight in enumerate(to)]
    except BadValue as exc:
        raise BadArgument.of(exc) from exc
    if last == [item.weight for item in blend.items]:
        raise UsageError(
            N_("the weights at the end (to) are those at the start: a sweep needs at least one that moves"),
            "sweep-unmoved",
        )
    return tuple(_frame(blend, last, n, count) for n in range(count))


def weight_at(first: float, last: float, part: float) -> float:
    """Return the weight at a part of the way, from 0 to 1, rounded for names and recipes."""
    return round(first + (last - first) * part, 4)


def _frame(blend: Blend, last: Sequence[float], n: int, count: int) -> Blend:
    part = n / (count - 1)
    items = tuple(
        replace(item, weight=weight_at(item.weight, to, part)) for item, to in zip(blend.items, last, strict=True)
    )
    frame = replace(blend, items=items)
    try:
        codec.check_request(frame)
    except BadValue as exc:
        raise UsageError(
            N_("frame {number} of {count} cannot be made: {reason}"), "frame", number=n + 1, count=count, reason=exc
        ) from exc
    return frame


class Sweep(Work):
    """Jobs that make the frames one after the other, used as if they were one. The constructor submits the first.

    Args:
        submit: Client.submit_blend, or a function that calls it.
        frames: the blends of frames_of().

    Raises:
        Refused: the daemon will not take the first frame.
    """

    def __init__(self, submit: Callable[[Blend], Job], frames: Sequence[Blend]) -> None:
        self._submit = submit
        self._number = len(frames)
        self._waiting = deque(frames)
        self._jobs: list[Job] = []
        self._seconds = 0.0  # that the frames before this one took
        self._steps = 0  # of one frame; 0 while it is not known
        self._newest: Progress | None = None
        self._stopped = False
        self._submit_next()
        self.ahead = self._job.ahead

    @property
    def timeout(self) -> float:
        return self._job.timeout

    @property
    def is_over(self) -> bool:
        """Whether the last frame, or the first that failed, is over and all progress has been read."""
        return self._job.is_over and not self._goes_on

    def poll(self, timeout: float = 0.0) -> Progress | None:
        """Return the next progress of the whole sweep, as of Job.poll; submit the next frame when one has ended.

        `variation` is the number of the frame, and steps and seconds are those of all frames.

        Raises:
            NoAnswer: as of Job.poll.
            Refused: the daemon will not take the next frame.
        """
        if self._job.is_over and self._goes_on:
            self._submit_next()
        progress = self._job.poll(timeout)
        return self._of_the_whole(progress) if progress else None

    def result(self) -> BlendResult:
        """Wait for the last frame; pictures and recipes are in the frames' order. Errors as of Job.result and poll."""
        for _ in self.watch():
            pass
        results = [job.result() for job in self._jobs]
        if self._waiting:
            raise JobCancelled(
                "cancelled",
                N_("stopped after {done} of {frames} frames"),
                done=len(results),
                frames=self._number,
            )
        return _together(results)

    def finished(self) -> BlendResult:
        """Return what has arrived of the frames so far, whatever becomes of the others."""
        return _together([job.result() for job in self._jobs if job.has_result])

    def cancel(self) -> None:
        """Cancel the running frame and submit no other; result() then raises JobCancelled. Errors as of Job.cancel."""
        self._stopped = True
        self._job.cancel()

    def release(self) -> None:
        """Let the daemon forget all frames. Raises nothing: their pictures are here already."""
        self.discard()

    def discard(self) -> None:
        """Cancel the running frame and let the daemon forget all of them, as of Job.discard."""
        self._stopped = True
        for job in self._jobs:
            job.discard()

    @property
    def _job(self) -> Job:
        return self._jobs[-1]

    @property
    def _goes_on(self) -> bool:
        """Whether another frame follows the one that runs, as far as is known."""
        return bool(self._waiting) and not self._stopped and not self._job.has_failed

    def _submit_next(self) -> None:
        if self._newest:
            self._seconds += self._newest.elapsed
        self._newest = None
        self._jobs.append(self._submit(self._waiting[0]))
        self._waiting.popleft()

    def _of_the_whole(self, progress: Progress) -> Progress:
        """Return the progress of the sweep from that of its frame. Each frame counts as much as the others."""
        self._newest = progress
        self._steps = progress.steps or self._steps
        done = len(self._jobs) - 1
        one = self._seconds / done if done else progress.elapsed + progress.remaining
        return replace(
            progress,
            step=done * self._steps + progress.step,
            steps=self._number * self._steps,
            variation=done,
            elapsed=self._seconds + progress.elapsed,
            remaining=progress.remaining + len(self._waiting) * one if progress.remaining >= 0 else -1.0,
        )


def _together(results: Sequence[BlendResult]) -> BlendResult:
    """The pictures and recipes of frames in their order, and each of their warnings once."""
    return BlendResult(
        tuple(picture for result in results for picture in result.pictures),
        [recipe for result in results for recipe in result.recipes],
        tuple(dict.fromkeys(warning for result in results for warning in result.warnings)),
    )
