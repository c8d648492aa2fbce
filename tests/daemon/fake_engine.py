"""Engines that behave badly on purpose, for a real daemon with a real worker process. The prompt says how.

A blend's prompt is a list of words, each a step: see _STEPS. The result is one grey picture of the asked size.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path

from daemon.errors import JobError
from daemon.executors.base import Embedding, JobAdvanced, JobDone, JobEmbedded
from plugin_client.wire.messages import Blend, ModelInfo, Picture, Stage, TextItem

QUICK = 0.01  # s
SLOW = 0.1
LONG = 1.2

STRUCK_SEED = 25
OWN_SIDE = 24  # px; of the pictures of which no size was asked


def _burn() -> None:
    until = time.monotonic() + SLOW
    while time.monotonic() < until:
        pass


def _refuse() -> None:
    raise JobError("bad-request", "the prompt is not to my taste")


def _forge() -> None:
    raise JobError("bad-request", "no\n2026-01-01 INFO forged \x1b[31mline")


def _flood_memory() -> None:
    raise MemoryError("cannot allocate 8 GB")


def _stumble() -> None:
    raise ZeroDivisionError("a mistake in the model")


_STEPS: dict[str, Callable[[], None]] = {
    "quick": lambda: time.sleep(QUICK),
    "slow": lambda: time.sleep(SLOW),
    "long": lambda: time.sleep(LONG),
    "burn": _burn,
    "download": lambda: time.sleep(3600),
    "endless": lambda: time.sleep(3600),
    "flash": lambda: None,
    "print": lambda: print("a library's words", flush=True),
    "refuse": _refuse,
    "forge": _forge,
    "greedy": _flood_memory,
    "stumble": _stumble,
    "abort": os.abort,
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
}


class FakeEngine:
    """Does what the prompt says."""

    def __init__(self, models: Sequence[str], device: str, precision: str, memory: int | None) -> None:
        self.device, self.precision = device, precision
        self._models = models

    def prepare(self) -> None:
        """There is nothing to do."""

    def models(self) -> tuple[ModelInfo, ...]:
        return tuple(ModelInfo(name, source=f"fake {name}", hash="f00d", loaded=True) for name in self._models)

    def run(
        self, job: str, blend: Blend, known: Sequence[Embedding] = ()
    ) -> Generator[JobAdvanced | JobEmbedded | JobDone, None, None]:
        yield JobEmbedded(job, ())
        item = blend.items[0]
        words = item.text.split() if isinstance(item, TextItem) else ["quick"]
        for done, word in enumerate(words):
            stage: Stage = "loading" if word == "download" else "denoising"
            yield JobAdvanced(job, stage, done, len(words), blend.variation, remaining=1)
            _STEPS[word]()
        width, height = blend.width or OWN_SIDE, blend.height or OWN_SIDE
        pixels = bytes([blend.seed % 256]) * (3 * width * height)
        picture = Picture(width, height, 3, pixels)
        yield JobDone(job, (picture,) * blend.count, {"seed": blend.seed, "steps": len(words)})


class StrangeEngine(FakeEngine):
    """Has other weights in each process."""

    def models(self) -> tuple[ModelInfo, ...]:
        return tuple(replace(model, hash=f"weights {os.getpid()}") for model in super().models())


class StruckEngine(FakeEngine):
    """The first job with STRUCK_SEED does not end; the folder that is the model's name tells that it has begun."""

    def run(
        self, job: str, blend: Blend, known: Sequence[Embedding] = ()
    ) -> Generator[JobAdvanced | JobEmbedded | JobDone, None, None]:
        for event in super().run(job, blend, known):
            yield event
            begun = Path(self._models[0]) / "begun"
            if blend.seed == STRUCK_SEED and isinstance(event, JobAdvanced) and not begun.exists():
                begun.touch()
                time.sleep(3600)


class EmbeddingEngine(FakeEngine):
    """Embeds each prompt once, which takes long; a file in the folder that is the model's name tells who begins to."""

    def __init__(self, models: Sequence[str], device: str, precision: str, memory: int | None) -> None:
        super().__init__(models, device, precision, memory)
        self._kept: set[str] = set()

    def run(
        self, job: str, blend: Blend, known: Sequence[Embedding] = ()
    ) -> Generator[JobAdvanced | JobEmbedded | JobDone, None, None]:
        (item,) = blend.items
        assert isinstance(item, TextItem)
        given = {one.key for one in known}
        if item.text not in self._kept | given:
            Path(self._models[0], f"{os.getpid()}-{len(self._kept)}").write_text(item.text)
            time.sleep(LONG)
        self._kept.add(item.text)
        made = () if item.text in given else (Embedding(item.text, ((1,),), (bytes(4),)),)
        for event in super().run(job, blend):
            yield replace(event, embeddings=made) if isinstance(event, JobEmbedded) else event


class UnendingEngine(FakeEngine):
    """Forgets to give a result."""

    def run(
        self, job: str, blend: Blend, known: Sequence[Embedding] = ()
    ) -> Generator[JobAdvanced | JobEmbedded | JobDone, None, None]:
        yield JobAdvanced(job, "denoising", 0, 1, blend.variation, remaining=1)


class LateEngine(FakeEngine):
    """Its model is missing until a file `model` lies in the folder that is given as the model's name."""

    def __init__(self, models: Sequence[str], device: str, precision: str, memory: int | None) -> None:
        if not (Path(models[0]) / "model").exists():
            raise JobError("load-failed", f"{models[0]} holds no model")
        super().__init__(models, device, precision, memory)


class StillbornEngine(FakeEngine):
    """Takes the process down while it loads."""

    def __init__(self, models: Sequence[str], device: str, precision: str, memory: int | None) -> None:
        os.abort()
