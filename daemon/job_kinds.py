"""The kinds of job, each registered once: a new kind is a line in KINDS and the module that it names."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from daemon.framing import digest
from plugin_client.wire import codec
from plugin_client.wire.limits import MAX_HEADER_BYTES, MAX_MESSAGE_BYTES
from plugin_client.wire.messages import Blend, JobRequest, Refine, Repaint, Submit, Upscale
from plugin_client.wire.titles import request_title

T = TypeVar("T")
NO_JOB = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class JobKind:
    """The daemon's knowledge of the jobs of one kind.

    Attributes:
        title: one printable line, as short as request_title's, that says what a request makes.
        pixels: how many bytes of pixels its pictures have, where the model draws squares of `side` px by itself.
        runner: "module:function", imported by the process that owns the models only; see engine.Run.
    """

    title: Callable[[Any], str]
    pixels: Callable[[Any, int], int]
    runner: str


def title(request: JobRequest) -> str:
    """Return the title of a job, in one printable line: "0.3 a cat + 0.7 sky, seed 42"."""
    return KINDS[type(request)].title(request)


def picture_bytes(request: object) -> int:
    """Return the bytes of pixels and embeddings in a request of any kind, or in a part of one, unread."""
    if isinstance(request, bytes | memoryview):
        return len(request)
    if isinstance(request, tuple):
        return sum(map(picture_bytes, request))
    if is_dataclass(request):
        return sum(picture_bytes(getattr(request, field.name)) for field in fields(request))
    return 0


def owned(request: T) -> T:
    """Return a request, or a part of one, whose memoryviews of what was received are bytes of its own."""
    whole: Any = request
    if isinstance(request, memoryview):
        whole = bytes(request)
    elif isinstance(request, tuple):
        whole = tuple(map(owned, request))
    elif is_dataclass(request) and not isinstance(request, type):
        whole = replace(request, **{field.name: owned(getattr(request, field.name)) for field in fields(request)})
    return cast("T", whole)


def result_bytes(request: JobRequest, side: int) -> int:
    """Return the most bytes that the result of a request takes.

    Args:
        side: px, of the squares that the model draws where no size is asked for.
    """
    return min(KINDS[type(request)].pixels(request, side), MAX_MESSAGE_BYTES) + MAX_HEADER_BYTES


def digest_of(request: JobRequest) -> str:
    """Return a digest of all that a request says, its pixels included. Raises: ProtocolError."""
    return digest(codec.encode(Submit(NO_JOB, request), 0))


def _blend_pixels(blend: Blend, side: int) -> int:
    return 3 * (blend.width or side) * (blend.height or side) * blend.count


def _redraw_pixels(redraw: Refine | Repaint, side: int) -> int:
    return len(redraw.source.pixels) * redraw.count


def _upscale_pixels(upscale: Upscale, side: int) -> int:
    return upscale.target_width * upscale.target_height * upscale.source.channels * upscale.count


def load(name: str) -> Any:
    """Import and return the object of "package.module:name"."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


KINDS: dict[type, JobKind] = {
    Blend: JobKind(request_title, _blend_pixels, "daemon.blend_job:run"),
    Refine: JobKind(request_title, _redraw_pixels, "daemon.refine_job:run"),
    Repaint: JobKind(request_title, _redraw_pixels, "daemon.repaint_job:run"),
    Upscale: JobKind(request_title, _upscale_pixels, "daemon.upscale_job:run"),
}
