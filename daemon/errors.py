"""Errors of the daemon's side. Those of requests and jobs become a message to a client."""

from __future__ import annotations

from plugin_client.wire.messages import FailureCode, RefusalCode


class DaemonError(Exception):
    """The daemon cannot start or do its work. Its text is one sentence fit to be shown to a person."""


class StoreError(DaemonError):
    """A job cannot be kept or read, because of a full disk for example. Its text is one sentence for a person."""


class RequestRefused(Exception):
    """The daemon refuses what a client asked; `code` and the text are what the client is told."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class JobError(Exception):
    """An accepted job ends without pictures; `code` and the text are what its client is told."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code
