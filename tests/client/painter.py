"""An engine for a real daemon that makes small pictures at once: its worker loads no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from daemon.errors import JobError
from plugin_client.wire.messages import Blend, ModelInfo, Progress, Result, Submit
from tests.client.scripted_daemon import result


class Painter:
    device = "CPU"
    precision = "float32"

    def __init__(self, models: Sequence[str], device: str, precision: str, memory: int | None) -> None:
        self._models = models

    def models(self) -> tuple[ModelInfo, ...]:
        return tuple(ModelInfo(name, name, "f00d", loaded=True) for name in self._models)

    def run(self, job: str, blend: Blend) -> Iterator[Progress | Result]:
        yield Progress(job, "denoising", 1, 2, blend.variation, 0.1, 0.1)
        yield result(Submit(job, blend))


class Unloadable(Painter):
    """Its model's files are not there."""

    def run(self, job: str, blend: Blend) -> Iterator[Progress | Result]:
        raise JobError("load-failed", f"no model is called {self._models[0]!r}")
