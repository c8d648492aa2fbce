"""An engine for a real daemon that makes small pictures at once, or "slowly": its worker loads no model."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence

from daemon.errors import JobError
from daemon.executors.base import JobAdvanced, JobDone
from plugin_client.wire.messages import Blend, ModelInfo, Submit, TextItem
from tests.client.scripted_daemon import result


class Painter:
    device = "CPU"
    precision = "float32"

    def __init__(self, models: Sequence[str], device: str, precision: str, memory: int | None) -> None:
        self._models = models

    def prepare(self) -> None:
        """There is nothing to do."""

    def models(self) -> tuple[ModelInfo, ...]:
        return tuple(ModelInfo(name, name, "f00d", loaded=True) for name in self._models)

    def run(self, job: str, blend: Blend, known: object = ()) -> Generator[JobAdvanced | JobDone, None, None]:
        yield JobAdvanced(job, "denoising", 1, 2, blend.variation, remaining=0.1)
        if blend.items == (TextItem("slowly", 1.0),):
            time.sleep(3)
        made = result(Submit(job, blend))
        yield JobDone(job, made.pictures, made.recipe, made.warnings)


class Unloadable(Painter):
    """Its model's files are not there."""

    def run(self, job: str, blend: Blend, known: object = ()) -> Generator[JobAdvanced | JobDone, None, None]:
        raise JobError("load-failed", f"no model is called {self._models[0]!r}")
