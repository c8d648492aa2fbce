"""From one set of weights to another: the same blend again and again, with only its weights moved.

    with Client() as client:
        frames = frames_of(make_blend([("a cat", 1), ("night.jpg", 0)]), to=(0, 1), count=8)
        sweep = Sweep(client.submit_blend, frames)
        images = sweep.result().images

To the daemon a sweep is as many blends. It keeps the embeddings of what it has seen, and all frames have the first
one's seed, so that from the second frame on only the painting is left to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from plugin_client.client import BlendResult, Job, Work
from plugin_client.wire import codec
from plugin_client.wire.errors import JobCancelled, ProtocolError, UsageError
from plugin_client.wire.limits import BOUNDS
from plugin_client.wire.messages import Blend, Progress
from plugin_client.wire.schema import Real, Whole

# The daemon keeps them all until the last is there, so no more of them than of the variations of one job.
MIN_FRAMES, MAX_FRAMES = 2, 64

_FRAMES = Whole((MIN_FRAMES, MAX_FRAMES))
_WEIGHT = Real(BOUNDS["TextItem.weight"])


def frames_of(blend: Blend, to: Sequence[float], count: int) -> tuple[Blend, ...]:
    """The blends of a sweep: the first has the weights of `blend`, the last the weights `to`, item by item.

    Raises:
        UsageError: there can be no such sweep; the text names the value, or the frame that could not be made.
    """
    if len(to) != len(blend.items):
        raise UsageError(f"to has {len(to)} weights, and there are {len(blend.items)} items: give one for each")
    if blend.count != 1:
        raise UsageError(f"count is {blend.count}: a frame of a sweep is one picture, so it must be 1")
    try:
        _FRAMES.check(count, "frames")
        last = [_WEIGHT.check(weight, f"to[{n}]") for n, weight in enumerate(to)]
    except ProtocolError as exc:
        raise UsageError(str(exc)) from exc
    if last == [item.weight for item in blend.items]:
        raise UsageError("the weights at the end (to) are those at the start: a sweep needs at least one that moves")
    return tuple(_frame(blend, last, n, count) for n in range(count))


def weight_at(first: float, last: float, part: float) -> float:
    """The weight at a part of the way, which is from 0 to 1. Rounded: it is shown in names and recipes."""
    return round(first + (last - first) * part, 4)


def _frame(blend: Blend, last: Sequence[float], n: int, count: int) -> Blend:
    part = n / (count - 1)
    items = tuple(
        replace(item, weight=weight_at(item.weight, to, part)) for item, to in zip(blend.items, last, strict=True)
    )
    frame = replace(blend, items=items)
    try:
        codec.check_blend(frame)
    except ProtocolError as exc:
        raise UsageError(f"frame {n + 1} of {count} cannot be made: {str(exc).removeprefix('blend.')}") from exc
    return frame


class Sweep(Work):
    """Frames that are made one after the other as if they were one job. The first is submitted at once.

    Args:
        submit: Client.submit_blend, or what calls it.
        frames: of frames_of.

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
        self._client, self.ahead = self._job._client, self._job.ahead

    @property
    def is_over(self) -> bool:
        """Whether the last frame, or the first that could not be made, is over and all progress has been read."""
        return self._job.is_over and not self._goes_on

    def poll(self, timeout: float = 0.0) -> Progress | None:
        """The next step forward of the whole, as of Job.poll; `variation` counts the frames. It submits what is next.

        Raises:
            NoAnswer: as of Job.poll.
            Refused: the daemon will not take the next frame.
        """
        if self._job.is_over and self._goes_on:
            self._submit_next()
        progress = self._job.poll(timeout)
        return self._of_the_whole(progress) if progress else None

    def result(self) -> BlendResult:
        """Wait for the last frame: the pictures and recipes in their order. Errors as of Job.result and poll."""
        for _ in self.watch():
            pass
        results = [job.result() for job in self._jobs]
        if self._waiting:
            raise JobCancelled("cancelled", f"stopped after {len(results)} of {self._number} frames")
        return BlendResult(
            tuple(picture for result in results for picture in result.pictures),
            [recipe for result in results for recipe in result.recipes],
            _without_repeats(warning for result in results for warning in result.warnings),
        )

    def cancel(self) -> None:
        """Ask for the end of the running frame, and submit no other; result() then raises JobCancelled."""
        self._stopped = True
        self._job.cancel()

    def release(self) -> None:
        """Let the daemon forget all frames. One that it has dropped already is no loss: its picture is here."""
        self.discard()

    def discard(self) -> None:
        """Be done with all frames, as of Job.discard."""
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
        """Each frame counts as much as the others, whatever is left to do for it."""
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


def _without_repeats(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
