"""Work for a picture that is done in a thread of its own, while its items are embedded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kandinsky_backend.blend.roles import ImageDecoder
from kandinsky_backend.errors import BackendError
from plugin_client.wire.settings import BlendSettings

log = logging.getLogger(__name__)


@contextmanager
def preparing(decoder: ImageDecoder, settings: BlendSettings) -> Iterator[None]:
    """Prepare the decoder for a picture in another thread; it has ended when this block has."""
    over = threading.Event()

    def prepare() -> None:
        try:
            decoder.prepare_ahead(settings.height, settings.width, settings.guidance, over.is_set)
        except (BackendError, MemoryError, RuntimeError) as exc:  # the thread that draws meets it too, or ended this
            log.debug("prepared no further ahead: %s: %s", type(exc).__name__, exc)

    thread = threading.Thread(target=prepare, name="ahead", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
