"""Jobs of the kind "refine"."""

from __future__ import annotations

from collections.abc import Iterator

from daemon.drawing import items_of, pictures_of, pillow_image
from daemon.engine import JobEvent, Model
from kandinsky_backend.blend import RefineRequest
from plugin_client.wire.messages import Refine


def run(job: str, refine: Refine, model: Model) -> Iterator[JobEvent]:
    """Draw a picture anew. See engine.Run."""
    return pictures_of(job, refine, request_of(refine), model)


def request_of(refine: Refine) -> RefineRequest:
    """The backend's request."""
    return RefineRequest(items_of(refine), refine, pillow_image(refine.source), refine.strength)
