"""The memory that a run takes, estimated before it starts, so that it is refused instead of ending the process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kandinsky_backend.blend.roles import ImageDecoder
from kandinsky_backend.errors import NotEnoughMemory
from kandinsky_backend.residency import Resident, available_memory, growth
from plugin_client.wire.settings import BlendSettings

_FIRST_LOAD_BYTES = 110 * 10**6  # of tokenizers and code that come with a model's first run
_PICTURE_BYTES = 8  # a pixel of each picture that is kept until the last is made: its bytes, and copies on their way


def bytes_needed(parts: Iterable[Resident[Any]], decoder: ImageDecoder, settings: BlendSettings) -> int:
    """Return the bytes that a run takes at its peak beyond what this process holds now.

    Decoding is the largest piece of work in every model: a step of denoising takes a fifth of it.

    Args:
        parts: the models that it uses, in their order.
        settings: with a size.
    """
    decoder.foresee(settings.height, settings.width, settings.guidance)
    in_turn = list(parts)
    first = 0 if any(part.loaded for part in in_turn) else _FIRST_LOAD_BYTES
    kept = _PICTURE_BYTES * settings.width * settings.height * (settings.count - 1)
    return growth(in_turn) + first + decoder.bytes_of_decoding(settings.height, settings.width) + kept


def check_memory(needed: int) -> None:
    """Refuse a run that takes more memory than there is, where the system tells.

    Raises:
        NotEnoughMemory: `needed` bytes are more.
    """
    available = available_memory()
    if available is not None and needed > available:
        raise NotEnoughMemory(
            "this takes about {needed} more of memory, and {available} are free here: choose a smaller size, or end "
            "other programs",
            "too-little-memory",
            needed=_size(needed),
            available=_size(available),
        )


def _size(nbytes: int) -> str:
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.0f} MB"
