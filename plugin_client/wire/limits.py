"""The limits of the protocol, those of a blend's settings excepted: settings.py has them. PROTOCOL.md quotes both."""

from __future__ import annotations

MAX_HEADER_BYTES = 2**20  # the largest valid blend and the longest job list fit
MAX_SMALL_HEADER_BYTES = 4096  # of a client's message that is no submit
MAX_HEADER_ENTRIES = 20_000  # of all maps and lists of a header together, each of which counts as one more
MAX_DEPTH = 8  # nesting of maps and lists in a recipe
MAX_ENTRIES = 256  # of any map or list in a header
MAX_ITEMS = 32  # items of a blend
MAX_PICTURE_SIDE = 8192  # px, of a picture sent to the daemon
MAX_PICTURE_BYTES = 64 * 2**20  # of one pixel frame
MAX_MESSAGE_BYTES = 256 * 2**20  # of all pixel frames of one message
MAX_TEXT_CHARS = 4000  # of a prompt
MAX_NAME_CHARS = 200  # of a label, model name, title
MAX_NOTE_CHARS = 1000  # of a refusal, failure or warning, and of the name of a model's folder
MAX_WARNINGS = 64
MAX_JOBS = 200  # in one job list: the newest
MAX_MODELS = 64
MAX_LIBRARY = 80  # models that a daemon has or can fetch
MAX_MACHINES = 256  # in one answer; a daemon may have more
MAX_EMBEDS_WIDTH = 4096  # values of an embedding
MIN_SIDE, MAX_SIDE = 16, 2048  # px, of a result
MAX_COUNT = 64  # variations of one job
MAX_VARIATION = 10**6
MAX_WEIGHT = 1000.0  # absolute value
MAX_SEED = 2**53 - 1  # so that a seed survives JSON in every language
MAX_REQUEST_ID = 2**53 - 1
MAX_COUNTER = 2**53 - 1  # of whatever only counts: steps of a job, bytes, a process id
MAX_SECONDS = 1e9  # about 30 years

_NAME = (0, MAX_NAME_CHARS)
_NOTE = (0, MAX_NOTE_CHARS)
_TEXT = (0, MAX_TEXT_CHARS)
_COUNTER = (0, MAX_COUNTER)
_SECONDS = (0, MAX_SECONDS)
_REMAINING = (-1, MAX_SECONDS)

# Inclusive bounds of every field of every message: of a number its value, of a text its characters, of bytes their
# number, of a list its entries ("field[]" bounds each of them). A field without its bounds stops the import. A setting
# has its bounds beside it, in settings.py.
BOUNDS: dict[str, tuple[float, float]] = {
    "Picture.width": (1, MAX_PICTURE_SIDE),
    "Picture.height": (1, MAX_PICTURE_SIDE),
    "Picture.channels": (1, 4),  # and not 2
    "Picture.pixels": (1, MAX_PICTURE_BYTES),
    "TextItem.text": _TEXT,
    "TextItem.weight": (-MAX_WEIGHT, MAX_WEIGHT),
    "PictureItem.weight": (-MAX_WEIGHT, MAX_WEIGHT),
    "PictureItem.backdrop[]": (0, 255),
    "PictureItem.label": _NAME,
    "EmbedsItem.embeds": (4, 4 * MAX_EMBEDS_WIDTH),
    "EmbedsItem.weight": (-MAX_WEIGHT, MAX_WEIGHT),
    "EmbedsItem.label": _NAME,
    "RecordedPicture.embeds": (4, 4 * MAX_EMBEDS_WIDTH),
    "RecordedPicture.weight": (-MAX_WEIGHT, MAX_WEIGHT),
    "RecordedPicture.label": _NAME,
    "Repainted.inpainting": _NAME,
    "Upscaled.target_width": (1, MAX_PICTURE_SIDE),
    "Upscaled.target_height": (1, MAX_PICTURE_SIDE),
    "Provenance.precision": _NAME,
    "Provenance.device": _NAME,
    "Provenance.version": _NAME,
    "Blend.items": (1, MAX_ITEMS),
    "Refine.items": (0, MAX_ITEMS),
    "Repaint.items": (0, MAX_ITEMS),
    "Upscale.items": (0, MAX_ITEMS),
    "Upscale.target_width": (1, MAX_PICTURE_SIDE),
    "Upscale.target_height": (1, MAX_PICTURE_SIDE),
    "Submit.owner": _NAME,
    "ListJobs.owner": _NAME,
    "Pong.version": _NAME,
    "Pong.pid": _COUNTER,
    "Pong.uptime": _SECONDS,
    "Pong.device": _NAME,
    "Pong.precision": _NAME,
    "Pong.waiting": _COUNTER,
    "Pong.running": _COUNTER,
    "Pong.memory": _COUNTER,
    "Pong.machines": (0, MAX_MACHINES),
    "MachineInfo.name": _NAME,
    "MachineInfo.device": _NAME,
    "MachineInfo.precision": _NAME,
    "MachineInfo.memory": _COUNTER,
    "MachineInfo.slots": _COUNTER,
    "MachineInfo.running": _COUNTER,
    "Accepted.ahead": _COUNTER,
    "Progress.step": _COUNTER,
    "Progress.steps": _COUNTER,
    "Progress.variation": (0, MAX_VARIATION + MAX_COUNT),
    "Progress.elapsed": _SECONDS,
    "Progress.remaining": _REMAINING,
    "Result.pictures": (1, MAX_COUNT),
    "Result.recipe": (1, MAX_ENTRIES),
    "Result.warnings": (0, MAX_WARNINGS),
    "Result.warnings[]": _NOTE,
    "Failed.message": _NOTE,
    "JobInfo.step": _COUNTER,
    "JobInfo.steps": _COUNTER,
    "JobInfo.ahead": _COUNTER,
    "JobInfo.elapsed": _SECONDS,
    "JobInfo.remaining": _REMAINING,
    "JobInfo.title": _NAME,
    "JobInfo.error": _NOTE,
    "JobInfo.ended": _REMAINING,
    "JobInfo.machines": (0, MAX_COUNT),
    "JobInfo.machines[]": _NAME,
    "JobList.jobs": (0, MAX_JOBS),
    "ModelInfo.name": _NAME,
    "ModelInfo.source": _NOTE,
    "ModelInfo.hash": _NAME,
    "ModelInfo.note": _NOTE,
    "ModelInfo.side": (0, MAX_SIDE),
    "ModelInfo.steps": (0, 1000),
    "ModelInfo.family": _NAME,
    "ModelInfo.jobs": (0, 16),
    "ModelInfo.jobs[]": _NAME,
    "ModelList.models": (1, MAX_MODELS),
    "FetchModel.model": _NAME,
    "StopFetch.model": _NAME,
    "RemoveModel.model": _NAME,
    "StoredModel.name": _NAME,
    "StoredModel.source": _NOTE,
    "StoredModel.disk": _COUNTER,
    "StoredModel.download": _COUNTER,
    "StoredModel.done": _COUNTER,
    "StoredModel.total": _COUNTER,
    "StoredModel.elapsed": _SECONDS,
    "StoredModel.remaining": _REMAINING,
    "StoredModel.message": _NOTE,
    "LibraryList.models": (1, MAX_LIBRARY),
    "LibraryList.folder": _NOTE,
    "LibraryList.free": _COUNTER,
    "Refusal.message": _NOTE,
}
