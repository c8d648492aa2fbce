"""The messages of the protocol: one frozen dataclass a kind. PROTOCOL.md is the authority on what they mean.

Nothing here is checked when an object is made, so that a test can make a bad message; codec.py checks on both sides.
Sizes are in pixels, times in seconds, pictures are 8-bit sRGB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, get_args

PROTOCOL_VERSION = 1

Fit = Literal["crop", "pad", "stretch"]
Blending = Literal["linear", "spherical"]
JobState = Literal["queued", "running", "cancelling", "done", "failed", "cancelled"]
Stage = Literal["queued", "loading", "encoding", "prior", "denoising", "decoding"]

# The canonical spelling of a UUID, and nothing else: the daemon may name files after it.
JobId = Annotated[str, re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]

RefusalCode = Literal[
    "bad-message",  # not a message of this protocol, or a field out of its range
    "bad-version",  # another protocol version
    "unknown-job",  # no job of that id, or it was released or expired
    "unknown-model",  # the daemon does not offer that model
    "queue-full",  # too many jobs wait, or too many bytes of pictures
    "not-ready",  # fetch of a job that has not ended
    "id-in-use",  # submit of another request under the id of a job that has not ended
    "stopping",  # the daemon is shutting down
]
FailureCode = Literal[
    "cancelled",
    "bad-request",  # the model side refused the request: the message names the value
    "wrong-model",  # the recipe was made by other weights
    "load-failed",  # the model's files are missing, broken or of another model
    "out-of-memory",
    "worker-died",  # the process that owns the model ended; it has been started again
    "internal",
]

REFUSALS: tuple[RefusalCode, ...] = get_args(RefusalCode)
FAILURES: tuple[FailureCode, ...] = get_args(FailureCode)


@dataclass(frozen=True)
class Picture:
    """Raw pixels, row by row from the top, `channels` bytes a pixel: 3 = RGB, 4 = RGBA with straight alpha."""

    width: int
    height: int
    channels: int
    pixels: bytes = field(repr=False)


# --- what a blend is made of -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TextItem:
    """A prompt."""

    kind: ClassVar[str] = "text"
    text: str
    weight: float


@dataclass(frozen=True)
class PictureItem:
    """A picture; `picture` is carried by a pixel frame. `label` is only shown (a file's or layer's name).

    The model sees a square: "crop" cuts the centre, "pad" adds backdrop, "stretch" squeezes the whole picture in.
    Alpha is composited on `backdrop` (red, green, blue).
    """

    kind: ClassVar[str] = "picture"
    picture: Picture
    weight: float
    fit: Fit = "crop"
    backdrop: tuple[int, int, int] = (255, 255, 255)
    label: str = ""


@dataclass(frozen=True)
class EmbedsItem:
    """What the model saw in a picture, from an earlier recipe: little-endian float32 values."""

    kind: ClassVar[str] = "embeds"
    embeds: bytes = field(repr=False)
    weight: float
    label: str = ""


Item = TextItem | PictureItem | EmbedsItem


@dataclass(frozen=True)
class Blend:
    """One blend: what Submit asks for. `model` "" is the daemon's first model.

    A width and height of 0 leave the size to the model; the recipe of the result tells it.
    """

    items: tuple[Item, ...]
    width: int = 0
    height: int = 0
    steps: int = 50
    guidance: float = 4.0
    prior_steps: int = 25
    prior_guidance: float = 4.0
    negative: str = ""  # what to keep away from; an embedding is made of it by the prior
    decoder_prompt: str = ""  # reaches the multilingual text encoder; empty as in the reference
    seed: int = 0
    variation: int = 0  # number of the first variation; variation n of a seed is the same picture in every job
    count: int = 1  # how many variations
    blending: Blending = "linear"
    normalise: bool = False  # divide the weights by their sum
    model: str = ""
    model_hash: str = ""  # when not empty, the job fails unless the model's weights have this fingerprint
    preview_every: int = 0  # send a small preview with every n-th step; 0 sends none


# --- client to daemon --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ping:
    kind: ClassVar[str] = "ping"


@dataclass(frozen=True)
class Submit:
    """Answered by Accepted; then Progress, and Result or Failed, follow under the same request id."""

    kind: ClassVar[str] = "submit"
    job: JobId  # a UUID made by the client: sending it again is harmless
    blend: Blend


@dataclass(frozen=True)
class Watch:
    """Answered by JobInfo; then Progress, and Result or Failed, follow under the same request id."""

    kind: ClassVar[str] = "watch"
    job: JobId


@dataclass(frozen=True)
class Cancel:
    """Answered at once by JobInfo; takes effect within a step, within seconds while a model is loaded."""

    kind: ClassVar[str] = "cancel"
    job: JobId


@dataclass(frozen=True)
class Status:
    """Answered by JobInfo."""

    kind: ClassVar[str] = "status"
    job: JobId


@dataclass(frozen=True)
class ListJobs:
    """Answered by JobList."""

    kind: ClassVar[str] = "list"


@dataclass(frozen=True)
class Fetch:
    """Answered by Result or Failed; refused with "not-ready" before the job has ended."""

    kind: ClassVar[str] = "fetch"
    job: JobId


@dataclass(frozen=True)
class Release:
    """Forget an ended job and its pictures. Answered by Released."""

    kind: ClassVar[str] = "release"
    job: JobId


@dataclass(frozen=True)
class ListModels:
    """Answered by ModelList."""

    kind: ClassVar[str] = "models"


@dataclass(frozen=True)
class Shutdown:
    """Cancel what runs and end the daemon. Answered by Pong with `stopping` set."""

    kind: ClassVar[str] = "shutdown"


ClientMessage = Ping | Submit | Watch | Cancel | Status | ListJobs | Fetch | Release | ListModels | Shutdown


# --- daemon to client --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pong:
    kind: ClassVar[str] = "pong"
    version: str  # of the product
    pid: int
    uptime: float  # s
    device: str
    precision: str
    waiting: int  # jobs in the queue
    running: int
    memory: int  # bytes resident in the worker; 0 while it is not known
    stopping: bool = False


@dataclass(frozen=True)
class Accepted:
    kind: ClassVar[str] = "accepted"
    job: JobId
    ahead: int  # jobs that run before it


@dataclass(frozen=True)
class Progress:
    kind: ClassVar[str] = "progress"
    job: JobId
    stage: Stage
    step: int  # of the whole job: done so far
    steps: int  # of the whole job
    variation: int  # which variation is being made
    elapsed: float  # s since the job began to run
    remaining: float  # s, estimated; negative while it cannot be told
    preview: Picture | None = None


@dataclass(frozen=True)
class Result:
    """The pictures of a job, and the recipe that reproduces the first of them.

    The recipe of picture n is the same with n added to its "variation": recipe.recipes_of makes them.
    """

    kind: ClassVar[str] = "result"
    job: JobId
    pictures: tuple[Picture, ...]
    recipe: dict[str, Any]
    warnings: tuple[str, ...] = ()  # e.g. what was cut off a prompt


@dataclass(frozen=True)
class Failed:
    kind: ClassVar[str] = "failed"
    job: JobId
    code: FailureCode
    message: str


@dataclass(frozen=True)
class JobInfo:
    kind: ClassVar[str] = "job"
    job: JobId
    state: JobState
    stage: Stage
    step: int
    steps: int
    ahead: int
    elapsed: float
    remaining: float
    title: str  # what it makes, e.g. "0.3 a cat + 0.7 sky, seed 42"
    error: str = ""  # of a failed job


@dataclass(frozen=True)
class JobList:
    kind: ClassVar[str] = "jobs"
    jobs: tuple[JobInfo, ...]


@dataclass(frozen=True)
class Released:
    kind: ClassVar[str] = "released"
    job: JobId


@dataclass(frozen=True)
class ModelInfo:
    name: str
    source: str  # folder or hub id
    hash: str  # fingerprint of the weights; "" until their files were found
    loaded: bool  # whether the weights that denoise are in memory now
    note: str = ""  # a plain word about it, e.g. why it cannot be loaded
    side: int = 0  # px, of the squares that it draws best; 0 until that is known


@dataclass(frozen=True)
class ModelList:
    kind: ClassVar[str] = "model-list"
    models: tuple[ModelInfo, ...]  # the first is the default


@dataclass(frozen=True)
class Refusal:
    """The daemon will not do what was asked."""

    kind: ClassVar[str] = "refused"
    code: RefusalCode
    message: str


DaemonMessage = Pong | Accepted | Progress | Result | Failed | JobInfo | JobList | Released | ModelList | Refusal
