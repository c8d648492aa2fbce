"""Jobs of the kind "blend"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from daemon.drawing import items_of, pictures_of
from daemon.engine import JobEvent, Model
from kandinsky_backend.blend import BlendRequest
from plugin_client.wire.messages import Blend


def run(job: str, blend: Blend, model: Model) -> Iterator[JobEvent]:
    """Make the pictures of a blend, of the model's own size where none was asked for. See engine.Run."""
    side = model.source.side
    sized = blend if blend.width else replace(blend, width=side, height=side)
    return pictures_of(job, sized, request_of(sized), model)


def request_of(blend: Blend) -> BlendRequest:
    """The backend's request for a blend, whose width and height are known."""
    return BlendRequest(items_of(blend), blend)
