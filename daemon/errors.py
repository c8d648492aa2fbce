"""Errors of the daemon's side. Each but the first becomes a message to a client."""

from __future__ import annotations

from plugin_client.wire.messages import FailureCode, RefusalCode


class DaemonError(Exception):
    """The daemon cannot start. Its text is one sentence fit to be shown to a person."""


class RequestRefused(Exception):
    """The daemon will not do what a client asked; `code` and the text are what the client is told."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class JobError(Exception):
    """An accepted job ends without pictures; `code` and the text are what its client is told."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code
