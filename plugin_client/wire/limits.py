"""Every limit of the protocol, in one place. PROTOCOL.md quotes them; a test compares."""

from __future__ import annotations

MAX_HEADER_BYTES = 256 * 1024
MAX_DEPTH = 8  # nesting of maps and lists in a header
MAX_ITEMS = 32  # items of a blend
MAX_PICTURE_SIDE = 8192  # px, of a picture sent to the daemon
MAX_PICTURE_BYTES = 64 * 2**20  # of one pixel frame
MAX_MESSAGE_BYTES = 256 * 2**20  # of all pixel frames of one message
MAX_TEXT_CHARS = 4000  # of a prompt
MAX_NAME_CHARS = 200  # of a label, model name, error code
MAX_EMBEDS_WIDTH = 4096
MIN_SIDE, MAX_SIDE = 16, 2048  # px, of a result
MAX_STEPS = 1000
MAX_COUNT = 64  # variations of one job
MAX_GUIDANCE = 100.0
MAX_WEIGHT = 1000.0  # absolute value
MAX_SEED = 2**53 - 1  # so that a seed survives JSON in every language
