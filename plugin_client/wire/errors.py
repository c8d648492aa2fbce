"""Every error that this side raises, in one tree.

KandinskyError
 +-- UsageError              a request of the caller cannot be: nothing was sent
 |    +-- BadArgument        because of one value; `path`, `value` and `fault` say which and why
 +-- ProtocolError           bytes that are not a message of this protocol
 |    +-- BadValue           because of one value; `path`, `value` and `fault` say which and why
 |    +-- VersionError       the other side speaks another protocol version
 +-- TransportError          no answer can be had
 |    +-- DaemonNotRunning   nothing listens at the endpoint
 |    +-- NoAnswer           something listens, or did, and has fallen silent
 |    +-- EndpointError      the endpoint's name, file, folder or keys are unusable
 +-- Refused                 the daemon answered that it will not do this; `code` says which refusal
 +-- JobFailed               an accepted job ended without a picture; `code` and the message say why
      +-- JobCancelled       because somebody asked for that

An error carries data: a sentence with gaps, what belongs into them, and a code. str() fills the gaps in English; an
edge that knows its reader better calls render().
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable

from plugin_client.wire.faults import Fault

# Where a value stands: fields by name and entries by number, such as ("submit", "request", "items", 0, "weight").
Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """Write a path as a program would: `items[0].weight` for ("items", 0, "weight")."""
    written = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return written.removeprefix(".") or "the request"


def show(value: object) -> str:
    """Write `value` for an error message: short, however large it is."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else _BRIEF.repr(value)


_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 60


class KandinskyError(Exception):
    """The root of all errors of the client and the wire.

    Args:
        sentence: one sentence fit to be shown to a person. Where there is `data`, its names in braces are gaps, as of
            str.format; without data it is taken as it is.
        code: the reason for programs; "" where none needs to tell it from others.
        data: what belongs into the gaps.
    """

    def __init__(self, sentence: str, code: str = "", **data: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.data = data

    def __str__(self) -> str:
        return self.render()

    def render(self, translate: Callable[[str], str] = str, **instead: object) -> str:
        """Return the sentence, translated and then filled with the data. `instead` replaces some of the data."""
        if not self.sentence:  # which gettext answers with the head of its catalogue
            return ""
        gaps = self.data | instead
        if not gaps:
            return translate(self.sentence)
        filled = {
            name: value.render(translate) if isinstance(value, KandinskyError) else value
            for name, value in gaps.items()
        }
        return translate(self.sentence).format(**filled)


class _AboutAValue(KandinskyError):
    """A value at `path` is not as it must be; `fault` says why."""

    def __init__(self, path: Path, value: object, fault: Fault, **data: object) -> None:
        super().__init__(fault.value, fault.code, name=dotted(path), value=show(value), **data)
        self.path = path
        self.value = value
        self.fault = fault


class UsageError(KandinskyError, ValueError):
    """A request of the caller that cannot be; nothing was sent."""


class ProtocolError(KandinskyError):
    """Bytes that are not a message of this protocol, or a message that it cannot carry.

    `request_id` is the id of the broken message where it could still be read, for the answer; else None.
    """

    request_id: int | None = None

    @classmethod
    def of(cls, fault: Fault, **data: object) -> ProtocolError:
        """Make the error of a message as a whole."""
        return cls(fault.value, fault.code, **data)


class BadValue(_AboutAValue, ProtocolError):
    """A value of a message or a recipe cannot be."""


class BadArgument(_AboutAValue, UsageError):
    """A value that the caller gave cannot be; nothing was sent."""

    @classmethod
    def of(cls, bad: BadValue, within: Path = ()) -> BadArgument:
        """Turn the error of a value that was not sent into the caller's; its path begins below `within`."""
        data = {name: value for name, value in bad.data.items() if name not in ("name", "value")}
        return cls(bad.path[len(within) :], bad.value, bad.fault, **data)


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

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(message, code, **data)


class JobFailed(KandinskyError):
    """An accepted job ended without a picture; `code` is a value of messages.FAILURES."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(message, code, **data)


class JobCancelled(JobFailed):
    """The job ended because somebody cancelled it."""


class LibraryError(KandinskyError):
    """A model could not be fetched or removed; `code` is a value of messages.LIBRARY_FAULTS."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(message, code, **data)
