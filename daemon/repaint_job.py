"""Jobs of the kind "repaint"."""

from __future__ import annotations

from collections.abc import Iterator

from daemon.drawing import items_of, pictures_of, pillow_image
from daemon.engine import JobEvent, Model
from kandinsky_backend.blend import RepaintRequest
from plugin_client.wire.messages import Repaint


def run(job: str, repaint: Repaint, model: Model) -> Iterator[JobEvent]:
    """Draw into a part of a picture. See engine.Run."""
    return pictures_of(job, repaint, request_of(repaint), model)


def request_of(repaint: Repaint) -> RepaintRequest:
    """The backend's request."""
    source, mask = pillow_image(repaint.source), pillow_image(repaint.mask)
    return RepaintRequest(items_of(repaint), repaint, source, mask, repaint.strength, repaint.resamplings)
