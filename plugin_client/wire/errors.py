"""Every error that this side raises, in one tree.

KandinskyError
 +-- UsageError              what the caller asked for cannot be: nothing was sent
 +-- ProtocolError           bytes that are not a message of this protocol
 |    +-- VersionError       the other side speaks another protocol version
 +-- TransportError          no answer can be had
 |    +-- DaemonNotRunning   nothing listens at the endpoint
 |    +-- NoAnswer           something listens, or did, and has fallen silent
 |    +-- EndpointError      the endpoint's name, file, folder or keys are unusable
 +-- Refused                 the daemon answered that it will not do this; `code` says which refusal
 +-- JobFailed               an accepted job ended without a picture; `code` and the message say why
      +-- JobCancelled       because somebody asked for that
"""

from __future__ import annotations


class KandinskyError(Exception):
    """The root of all errors of the client and the wire. Its text is one sentence fit to be shown to a person."""


class UsageError(KandinskyError, ValueError):
    """What the caller asked for cannot be; nothing was sent."""


class ProtocolError(KandinskyError):
    """Bytes that are not a message of this protocol, or a message that it cannot carry.

    `request_id` is the id of the broken message where it could still be read, for the answer; else None.
    """

    def __init__(self, message: str, request_id: int | None = None) -> None:
        super().__init__(message)
        self.request_id = request_id


class VersionError(ProtocolError):
    """The other side speaks another version of the protocol."""


class TransportError(KandinskyError):
    """No answer can be had."""


class DaemonNotRunning(TransportError):
    """Nothing listens at the endpoint."""


class NoAnswer(TransportError):
    """Something listens at the endpoint, or did, and has fallen silent."""


class EndpointError(TransportError):
    """The endpoint's name, connection file, folder or keys are unusable."""


class Refused(KandinskyError):
    """The daemon will not do what was asked; `code` is a value of messages.REFUSALS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class JobFailed(KandinskyError):
    """An accepted job ended without a picture; `code` is a value of messages.FAILURES."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class JobCancelled(JobFailed):
    """The job ended because somebody cancelled it."""
