"""Every limit of the protocol, in one place. PROTOCOL.md quotes them; a test compares."""

from __future__ import annotations

MAX_HEADER_BYTES = 2**20  # the largest valid blend and the longest job list fit
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
MAX_EMBEDS_WIDTH = 4096  # values of an embedding
MIN_SIDE, MAX_SIDE = 16, 2048  # px, of a result
MAX_STEPS = 1000
MAX_COUNT = 64  # variations of one job
MAX_VARIATION = 10**6
MAX_GUIDANCE = 100.0
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
# number, of a list its entries ("field[]" bounds each of them). A field without its bounds stops the import.
BOUNDS: dict[str, tuple[float, float]] = {
    "Picture.width": (1, MAX_PICTURE_SIDE),
    "Picture.height": (1, MAX_PICTURE_SIDE),
    "Picture.channels": (3, 4),
    "Picture.pixels": (3, MAX_PICTURE_BYTES),
    "TextItem.text": _TEXT,
    "TextItem.weight": (-MAX_WEIGHT, MAX_WEIGHT),
    "PictureItem.weight": (-MAX_WEIGHT, MAX_WEIGHT),
    "PictureItem.backdrop[]": (0, 255),
    "PictureItem.label": _NAME,
    "EmbedsItem.embeds": (4, 4 * MAX_EMBEDS_WIDTH),
    "EmbedsItem.weight": (-MAX_WEIGHT, MAX_WEIGHT),
    "EmbedsItem.label": _NAME,
    "Blend.items": (1, MAX_ITEMS),
    "Blend.width": (0, MAX_SIDE),  # and no less than MIN_SIDE, unless both are 0
    "Blend.height": (0, MAX_SIDE),
    "Blend.steps": (1, MAX_STEPS),
    "Blend.guidance": (0, MAX_GUIDANCE),
    "Blend.prior_steps": (1, MAX_STEPS),
    "Blend.prior_guidance": (0, MAX_GUIDANCE),
    "Blend.negative": _TEXT,
    "Blend.decoder_prompt": _TEXT,
    "Blend.seed": (0, MAX_SEED),
    "Blend.variation": (0, MAX_VARIATION),
    "Blend.count": (1, MAX_COUNT),
    "Blend.model": _NAME,
    "Blend.model_hash": _NAME,
    "Blend.preview_every": (0, MAX_STEPS),
    "Pong.version": _NAME,
    "Pong.pid": _COUNTER,
    "Pong.uptime": _SECONDS,
    "Pong.device": _NAME,
    "Pong.precision": _NAME,
    "Pong.waiting": _COUNTER,
    "Pong.running": _COUNTER,
    "Pong.memory": _COUNTER,
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
    "JobList.jobs": (0, MAX_JOBS),
    "ModelInfo.name": _NAME,
    "ModelInfo.source": _NOTE,
    "ModelInfo.hash": _NAME,
    "ModelInfo.note": _NOTE,
    "ModelInfo.side": (0, MAX_SIDE),
    "ModelList.models": (1, MAX_MODELS),
    "Refusal.message": _NOTE,
}
