"""The messages of the protocol: one frozen dataclass a kind. PROTOCOL.md is the authority on what they mean.

Nothing here is checked when an object is made, so that a test can make a bad message; codec.py checks on both sides.
Sizes are in pixels, times in seconds, pictures are 8-bit sRGB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, get_args

from plugin_client.wire.settings import AUTO, BlendSettings, Resamplings, Sampler, Strength

PROTOCOL_VERSION = 2
DEFAULT_MODEL = "embedded"  # the model that a daemon offers when it was given none

Fit = Literal["crop", "pad", "stretch"]
JobState = Literal["queued", "running", "cancelling", "done", "failed", "cancelled"]
Stage = Literal["queued", "downloading", "loading", "encoding", "prior", "denoising", "decoding"]

# The canonical spelling of a UUID, and nothing else: the daemon may name files after it.
JobId = Annotated[str, re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]

RefusalCode = Literal[
    "bad-message",  # not a message of this protocol, or a field out of its range
    "bad-version",  # another protocol version
    "unknown-job",  # no job of that id was ever submitted, or it went long ago
    "gone",  # the job was released, or a limit let it go: the text says which
    "unknown-model",  # the daemon does not offer that model, or it is to be fetched first
    "model-in-use",  # jobs need what was to be removed, or it is being fetched or removed
    "queue-full",  # too many jobs wait, or too many bytes of pictures
    "not-ready",  # release of a job that has not ended
    "id-in-use",  # submit of another request under the id of a job
    "stopping",  # the daemon is shutting down; jobs that it keeps go on when it is started again
    "not-allowed",  # only who runs a shared daemon may ask for that
    "store-failed",  # the daemon cannot keep or read what was asked for, e.g. because its disk is full
]
FailureCode = Literal[
    "cancelled",
    "bad-request",  # the model side refused the request: the message names the value
    "wrong-model",  # the recipe was made by other weights
    "load-failed",  # the model's files are missing, broken or of another model
    "out-of-memory",
    "worker-died",  # the process or machine that ran the job was lost; it has been replaced
    "store-failed",  # the job was done or could not begin, because the daemon cannot keep or read what belongs to it
    "internal",
]

# What has become of the last attempt to fetch or remove a model.
LibraryFault = Literal[
    "stopped",  # somebody asked for it; what has come stays, and the next attempt goes on with it
    "disk-full",  # the text has both numbers
    "hub-unreachable",
    "not-fetched",  # any other reason, which the text says
    "not-removed",
]
StoreTrouble = Literal["disk-full", "disk-read-only"]
ModelState = Literal["absent", "partly", "here", "waiting", "fetching", "removing"]

REFUSALS: tuple[RefusalCode, ...] = get_args(RefusalCode)
FAILURES: tuple[FailureCode, ...] = get_args(FailureCode)
LIBRARY_FAULTS: tuple[LibraryFault, ...] = get_args(LibraryFault)


@dataclass(frozen=True)
class Picture:
    """Raw pixels, row by row from the top, `channels` bytes a pixel.

    3 = RGB, 4 = RGBA with straight alpha, 1 = a mask, which stands only where a field says so.
    """

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
    """An image embedding out of an earlier recipe: little-endian float32 values."""

    kind: ClassVar[str] = "embeds"
    embeds: bytes = field(repr=False)
    weight: float
    label: str = ""


Item = TextItem | PictureItem | EmbedsItem


@dataclass(frozen=True)
class Blend(BlendSettings):
    """A job that makes pictures that lie between items. The recipe of the result tells what was left to the model."""

    kind: ClassVar[str] = "blend"
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Refine(BlendSettings):
    """A job that draws a picture anew, from the picture itself instead of from noise.

    The pictures that are made have the size of `source`; width and height are those at which the model works, 0 leaves
    them to it. Without items the source itself is what is drawn.
    """

    kind: ClassVar[str] = "refine"
    items: tuple[Item, ...]
    source: Picture
    strength: Strength = 0.3


@dataclass(frozen=True)
class Repaint(BlendSettings):
    """A job that draws into a part of a picture, and leaves the rest as it is, bit for bit.

    Sizes are as of Refine. Without items the surroundings are what is drawn, which removes what was there.
    """

    kind: ClassVar[str] = "repaint"
    items: tuple[Item, ...]
    source: Picture
    mask: Picture  # of one channel and of the source's size: 255 draws anew, 0 keeps, and values between mix both
    strength: Strength = 1.0
    resamplings: Resamplings = 1


@dataclass(frozen=True)
class Upscale(BlendSettings):
    """A job that enlarges a picture, and draws it anew tile by tile, which adds detail.

    The pictures that are made have the target's size, of which neither side is smaller than that of `source`; width and
    height are those of a tile, 0 leaves them to the model. Without items the source itself is what is drawn.
    """

    kind: ClassVar[str] = "upscale"
    items: tuple[Item, ...]
    source: Picture
    target_width: int
    target_height: int
    strength: Strength = 0.2  # more than about this, and each tile shows something of the whole picture


@dataclass(frozen=True)
class Tagged:
    """Marks a union whose members carry their `kind` on the wire."""


# What a job can be asked for. A request may hold pictures in any field; each has a pixel frame.
Redraw = Refine | Repaint | Upscale
AnyRequest = Blend | Redraw
JobRequest = Annotated[AnyRequest, Tagged()]


# --- client to daemon --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ping:
    """Ask whether the daemon lives. Answered by Pong."""

    kind: ClassVar[str] = "ping"


@dataclass(frozen=True)
class Submit:
    """Ask for a job. Answered by Accepted; then Progress, and Result or Failed, follow under the same request id."""

    kind: ClassVar[str] = "submit"
    job: JobId  # a UUID made by the client: sending it again is harmless
    request: JobRequest
    owner: str = ""  # a token: who lists with it is told of the job. Others reach it by its id alone


@dataclass(frozen=True)
class Watch:
    """Follow a job. Answered by JobInfo; then Progress, and Result or Failed, follow under the same request id."""

    kind: ClassVar[str] = "watch"
    job: JobId


@dataclass(frozen=True)
class Cancel:
    """End a job. Answered at once by JobInfo; takes effect within a step, within seconds while a model is loaded."""

    kind: ClassVar[str] = "cancel"
    job: JobId


@dataclass(frozen=True)
class Status:
    """Ask for the state of a job. Answered by JobInfo."""

    kind: ClassVar[str] = "status"
    job: JobId


@dataclass(frozen=True)
class ListJobs:
    """Ask for the jobs that were submitted with a token, or without one. Answered by JobList."""

    kind: ClassVar[str] = "list"
    owner: str = ""


@dataclass(frozen=True)
class Release:
    """Forget an ended job and its pictures. Answered by Released."""

    kind: ClassVar[str] = "release"
    job: JobId


@dataclass(frozen=True)
class ListModels:
    """Ask for the models that the daemon offers. Answered by ModelList."""

    kind: ClassVar[str] = "models"


@dataclass(frozen=True)
class ListLibrary:
    """Ask for the models on the daemon's disk, and those that it can fetch. Answered by LibraryList."""

    kind: ClassVar[str] = "library"


@dataclass(frozen=True)
class FetchModel:
    """Have a model downloaded, or go on with that. Answered at once by LibraryList; again is harmless."""

    kind: ClassVar[str] = "fetch-model"
    model: str


@dataclass(frozen=True)
class StopFetch:
    """Stop the download of a model. Answered by LibraryList; what has come stays."""

    kind: ClassVar[str] = "stop-fetch"
    model: str


@dataclass(frozen=True)
class RemoveModel:
    """Delete what was downloaded of a model. Answered at once by LibraryList."""

    kind: ClassVar[str] = "remove-model"
    model: str


@dataclass(frozen=True)
class Shutdown:
    """End the daemon. Answered by Pong with `stopping` set. Jobs that it keeps go on when it is started again."""

    kind: ClassVar[str] = "shutdown"


LibraryRequest = ListLibrary | FetchModel | StopFetch | RemoveModel
ClientMessage = Ping | Submit | Watch | Cancel | Status | ListJobs | Release | ListModels | LibraryRequest | Shutdown


# --- daemon to client --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MachineInfo:
    """A machine that runs the daemon's jobs."""

    name: str
    device: str  # what computes; "" until it is known
    precision: str
    memory: int  # bytes resident in its workers; 0 while it is not known
    slots: int  # jobs that it runs at a time
    running: int


@dataclass(frozen=True)
class Pong:
    """The state of the daemon."""

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
    keeps_jobs: bool = False  # whether they outlive the daemon
    machines: tuple[MachineInfo, ...] = ()  # the first MAX_MACHINES
    trouble: StoreTrouble | None = None  # why no new job can be kept at present


@dataclass(frozen=True)
class Accepted:
    """The job is the daemon's: its end can be fetched from now on."""

    kind: ClassVar[str] = "accepted"
    job: JobId
    ahead: int  # jobs that run before it


@dataclass(frozen=True)
class Progress:
    """A step forward of a running job."""

    kind: ClassVar[str] = "progress"
    job: JobId
    stage: Stage
    step: int  # of the whole job: done so far; while "downloading", bytes
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
    """The end of a job without pictures."""

    kind: ClassVar[str] = "failed"
    job: JobId
    code: FailureCode
    message: str


@dataclass(frozen=True)
class JobInfo:
    """The state of a job."""

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
    ended: float = -1.0  # s ago that it was over; negative before
    machines: tuple[str, ...] = ()  # names of those that run it now


@dataclass(frozen=True)
class JobList:
    """The newest of the jobs that were asked for."""

    kind: ClassVar[str] = "jobs"
    jobs: tuple[JobInfo, ...]


@dataclass(frozen=True)
class Released:
    """The daemon has forgotten the job."""

    kind: ClassVar[str] = "released"
    job: JobId


@dataclass(frozen=True)
class ModelInfo:
    """A model that the daemon offers."""

    name: str
    source: str  # folder or hub id
    hash: str  # fingerprint of the weights; "" until their files were found
    loaded: bool  # whether the weights that denoise are in memory now
    note: str = ""  # a plain word about it, e.g. why it cannot be loaded
    side: int = 0  # px, of the squares that it draws best; 0 until that is known
    sampler: Sampler = AUTO  # that it draws best with, where none is asked for; "auto" until that is known
    steps: int = 0  # of that sampler, which lose nothing; 0 until that is known
    family: str = ""  # of its architecture, e.g. "kandinsky-2.1"; "" until that is known
    jobs: tuple[str, ...] = ()  # the kinds of request that it can do; none until that is known


@dataclass(frozen=True)
class ModelList:
    """The models that the daemon offers."""

    kind: ClassVar[str] = "model-list"
    models: tuple[ModelInfo, ...]  # the first is the default


@dataclass(frozen=True)
class StoredModel:
    """A model on the daemon's disk, or one that can be fetched to it."""

    name: str
    source: str  # folder or hub id
    state: ModelState
    disk: int  # bytes that it takes now
    download: int = 0  # bytes of a whole download, about; 0 where that is not known or there is none
    done: int = 0  # bytes that have come, while it is fetched
    total: int = 0  # bytes that were missing when that began; 0 until it is known
    elapsed: float = 0.0  # s since that began
    remaining: float = -1.0  # s, estimated; negative while it cannot be told
    removable: bool = False  # whether it is here, as a whole or in part, and may be removed
    fault: LibraryFault | None = None  # of the last attempt
    message: str = ""  # one sentence on it


@dataclass(frozen=True)
class LibraryList:
    """The models that the daemon was given, and those that it can fetch."""

    kind: ClassVar[str] = "library-list"
    models: tuple[StoredModel, ...]
    folder: str  # where downloads go
    free: int  # bytes on its disk


@dataclass(frozen=True)
class Refusal:
    """The answer to a request that the daemon does not do."""

    kind: ClassVar[str] = "refused"
    code: RefusalCode
    message: str


DaemonMessage = (
    Pong | Accepted | Progress | Result | Failed | JobInfo | JobList | Released | ModelList | LibraryList | Refusal
)
