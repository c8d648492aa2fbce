"""The daemon's engine, painting small and enlarging, which writes down how long each job that it finished has taken it.

So a job takes little time of the machine, and still sends a picture of the size that was asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from daemon.drawing import pillow_image, wire_picture
from daemon.engine import Engine
from daemon.executors.base import Embedding, JobAdvanced, JobDone
from plugin_client.wire import messages as wire
from plugin_client.wire.paths import HOME_VARIABLE

FILE = "engine-seconds"  # in the daemon's folder, a line a job
PAINTED = 64  # px


class TimedEngine(Engine):
    def run(
        self, job: str, blend: wire.Blend, known: Sequence[Embedding] = ()
    ) -> Generator[JobAdvanced | JobDone, None, None]:
        started = time.monotonic()
        for event in super().run(job, replace(blend, width=PAINTED, height=PAINTED), known):
            if isinstance(event, JobDone):
                size = (blend.width, blend.height)
                event = replace(event, pictures=tuple(_enlarged(picture, size) for picture in event.pictures))
                with Path(os.environ[HOME_VARIABLE], FILE).open("a") as file:
                    file.write(f"{time.monotonic() - started}\n")
            yield event


def _enlarged(picture: wire.Picture, size: tuple[int, int]) -> wire.Picture:
    return wire_picture(pillow_image(picture).resize(size))
