"""Sweeps: the same blend again and again, from one set of weights to another.

    with Client() as client:
        frames = frames_of(make_blend([("a cat", 1), ("night.jpg", 0)]), to=(0, 1), count=8)
        sweep = Sweep(client.submit_blend, frames)
        images = sweep.result().images

To the daemon a sweep is as many blends. It keeps the embeddings of items, and all frames have one seed, so from the
second frame on only denoising and decoding are left to do. A frame is submitted when the one before it has begun: so
one frame waits at any time, no machine of the daemon is idle, and jobs of others have their turn.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from plugin_client.given import plain
from plugin_client.job import BlendResult, Job, Work
from plugin_client.wire import codec
from plugin_client.wire.errors import BadArgument, BadValue, JobCancelled, KandinskyError, Refused, UsageError
from plugin_client.wire.limits import BOUNDS
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Blend, Progress
from plugin_client.wire.schema import Real, Whole

MIN_FRAMES, MAX_FRAMES = 2, 200  # the daemon keeps more results than that, should they have to be fetched later

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


@dataclass(eq=False)
class _Frame:
    """A frame that the daemon has, and how far it is."""

    job: Job
    newest: Progress | None = None
    part: float = 0.0  # done of it, from 0 to 1

    def take(self, progress: Progress) -> None:
        """Note a progress. A frame that begins anew on another machine is as far as it was."""
        self.newest = progress
        if progress.steps and progress.stage != "downloading":
            self.part = max(self.part, progress.step / progress.steps)

    @property
    def has_begun(self) -> bool:
        return self.newest is not None or self.job.is_over

    @property
    def seconds(self) -> float:
        """How long it took, or takes by the daemon's estimate."""
        return self.newest.elapsed + max(0.0, self.newest.remaining) if self.newest else 0.0


class Sweep(Work):
    """Jobs that make the frames, used as if they were one. The constructor submits the first.

    Args:
        submit: Client.submit_blend, or a function that calls it.
        frames: the blends of frames_of().

    Raises:
        Refused: the daemon will not take the first frame.
    """

    def __init__(self, submit: Callable[[Blend], Job], frames: Sequence[Blend]) -> None:
        self._submit = submit
        self._number = len(frames)
        self._waiting = deque(frames)  # to be submitted
        self._frames: list[_Frame] = []
        self._began: float | None = None  # of time.monotonic()
        self._steps = 0  # of one frame; 0 while it is not known
        self._stopped = False
        self._crowded = 0  # frames that were still to end when the daemon's queue was full; 0 when it is not
        self._submit_next()
        self.ahead = self._frames[0].job.ahead

    @property
    def timeout(self) -> float:
        return self._frames[0].job.timeout

    @property
    def is_over(self) -> bool:
        """Whether the last frame, or the first that failed, is over and all progress of those before has been read."""
        if self._failed and not self._stopped:
            return True
        return not self._unended and (self._stopped or not self._waiting)

    def poll(self, timeout: float = 0.0) -> Progress | None:
        """Return the next progress of the whole sweep, as of Job.poll; submit the next frame when one has begun.

        `variation` is the number of the frame, and steps and seconds are those of all frames.

        Raises:
            NoAnswer: as of Job.poll.
            Refused: the daemon will not take the next frame.
        """
        self._submit_due()
        if (progress := self._heard()) or not self._unended:
            return progress
        first = self._unended[0]
        if progress := first.job.poll(timeout):  # or what comes for another frame meanwhile
            return self._of_the_whole(first, progress)
        return self._heard()

    def result(self) -> BlendResult:
        """Wait for the last frame; pictures and recipes are in the frames' order. Errors as of Job.result and poll."""
        for _ in self.watch():
            pass
        if self._failed and not self._stopped:
            self._end_others()
            self._failed[0].job.result()  # which raises
        done = self.finished()
        if len(done) < self._number:
            raise JobCancelled(
                "cancelled", N_("stopped after {done} of {frames} frames"), done=len(done), frames=self._number
            )
        return together(list(done.values()))

    def finished(self) -> dict[int, BlendResult]:
        """Return the frames that have arrived so far, by number from 0 on, whatever becomes of the others."""
        return {n: frame.job.result() for n, frame in enumerate(self._frames) if frame.job.has_result}

    def cancel(self) -> None:
        """Cancel the frames that the daemon has and submit no other; result() then raises JobCancelled.

        Errors as of Job.cancel.
        """
        self._stopped = True
        for frame in self._unended:
            frame.job.cancel()

    def release(self) -> None:
        """Let the daemon forget all frames. Raises nothing: their pictures are here already."""
        self.discard()

    def discard(self) -> None:
        """Cancel the frames that are not done and let the daemon forget all of them, as of Job.discard."""
        self._stopped = True
        for frame in self._frames:
            frame.job.discard()

    @property
    def _unended(self) -> list[_Frame]:
        return [frame for frame in self._frames if not frame.job.is_over]

    @property
    def _failed(self) -> list[_Frame]:
        return [frame for frame in self._frames if frame.job.has_failed]

    def _end_others(self) -> None:
        """End the frames that go on beside one that has failed."""
        with suppress(KandinskyError):  # the failure is what counts
            for frame in self._unended:
                frame.job.cancel()

    def _submit_due(self) -> None:
        """Submit the next frame when the one before has begun, and the daemon's queue has room."""
        if self._stopped or self._failed or not self._waiting or not self._frames[-1].has_begun:
            return
        left = len(self._unended)
        if self._crowded and left >= self._crowded:
            return  # none has ended since the queue was full
        try:
            self._submit_next()
            self._crowded = 0
        except Refused as exc:
            if exc.code != "queue-full" or not left:
                raise
            self._crowded = left

    def _submit_next(self) -> None:
        self._frames.append(_Frame(self._submit(self._waiting[0])))
        self._waiting.popleft()

    def _heard(self) -> Progress | None:
        """What has been heard of any frame, without waiting."""
        for frame in self._unended:
            if progress := frame.job.poll(0):
                return self._of_the_whole(frame, progress)
        return None

    def _of_the_whole(self, frame: _Frame, progress: Progress) -> Progress:
        """Return the progress of the sweep from that of a frame. Each frame counts as much as the others."""
        frame.take(progress)
        self._began = self._began or time.monotonic() - progress.elapsed
        told = replace(progress, variation=self._frames.index(frame), elapsed=time.monotonic() - self._began)
        if progress.stage == "downloading":  # its steps are bytes
            return told
        self._steps = self._steps or progress.steps
        ended = [one for one in self._frames if one.job.is_over and one is not frame]
        going = [one for one in self._frames if one not in ended]
        steps = self._number * self._steps
        step = round(steps * (len(ended) + sum(one.part for one in going)) / self._number)
        return replace(told, step=step, steps=steps, remaining=self._remaining(ended, going))

    def _remaining(self, ended: Sequence[_Frame], going: Sequence[_Frame]) -> float:
        """Estimate the seconds that are left, where as many frames as now are made side by side; -1 without a base."""
        left = [frame.newest.remaining for frame in going if frame.newest]
        if any(seconds < 0 for seconds in left):
            return -1.0
        took = [frame.seconds for frame in ended or going if frame.newest]
        to_begin = self._number - len(ended) - len(left)
        return max(*left, 0.0, (sum(left) + to_begin * sum(took) / max(1, len(took))) / len(left))


def together(results: Sequence[BlendResult]) -> BlendResult:
    """The pictures and recipes of frames in their order, and each of their warnings once."""
    return BlendResult(
        tuple(picture for result in results for picture in result.pictures),
        [recipe for result in results for recipe in result.recipes],
        tuple(dict.fromkeys(warning for result in results for warning in result.warnings)),
    )
