"""The models on the daemon's disk, and the fetching and removing of them, one after the other, in a child process."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from daemon import child
from daemon.downloads import Speed
from daemon.errors import RequestRefused
from daemon.texts import clip_note
from kandinsky_backend import families, hub_cache, library
from kandinsky_backend.errors import CheckpointError
from kandinsky_backend.library import Stored
from plugin_client.wire.messages import LibraryFault, LibraryList, ModelInfo, StoredModel

log = logging.getLogger(__name__)

LOOK_PAUSE = 1.0  # s for which what was seen on the disk counts
READ_BYTES = 2**16
FETCH_HINT = "it is to be fetched first, by kandinsky-blend models fetch {name} or in the dialog"

Action = Literal["fetch", "remove"]


@dataclass
class _Errand:
    """Something that the child process is to do, or does."""

    action: Action
    name: str
    process: subprocess.Popen[bytes] | None = None
    unread: bytes = b""
    is_over: bool = False
    began: float = 0.0
    done: int = 0
    total: int = 0
    remaining: float = -1.0
    speed: Speed = field(default_factory=Speed)
    fault: LibraryFault | None = None
    message: str = ""


class Library:
    """The models of a daemon. One thread calls it, and no call blocks.

    Args:
        given: the names that the daemon was given, the default first.
        why_fixed: why nothing is fetched or removed here; "" where it is.
    """

    def __init__(self, given: Iterable[str], why_fixed: str = "") -> None:
        self._given = tuple(given)
        self._why_fixed = why_fixed
        self._seen: dict[str, tuple[Stored, float]] = {}
        self._errands: deque[_Errand] = deque()  # the first runs
        self._failed: dict[str, _Errand] = {}  # the last errands that have failed, by model

    # --- what is there -----------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The models that are given or can be fetched."""
        return tuple(dict.fromkeys((*self._given, *families.published_names())))

    @property
    def offered(self) -> tuple[str, ...]:
        """The models that can draw: those that were given, and those that were fetched."""
        return (*self._given, *(name for name in self.names if name not in self._given and self._look(name).is_here))

    def infos(self, known: Iterable[ModelInfo]) -> tuple[ModelInfo, ...]:
        """Return the models that can draw; `known` are those that a machine has told of, if only their names."""
        told = {model.name: model for model in known}
        return tuple(self._info(name, told.get(name)) for name in self.offered)

    def listed(self) -> LibraryList:
        """Return all models with their state."""
        folder = hub_cache.cache_folder()
        return LibraryList(tuple(map(self._stored, self.names)), clip_note(str(folder)), hub_cache.free_bytes(folder))

    def check_drawable(self, name: str) -> None:
        """Check that a model can draw ("" is the default one).

        Raises:
            RequestRefused: "unknown-model", or "model-in-use" while it is being removed.
        """
        wanted = name or self._given[0]
        if wanted not in self.offered:
            if wanted in self.names:
                raise RequestRefused(
                    "unknown-model", f"the model {wanted!r} is not here: {FETCH_HINT.format(name=wanted)}"
                )
            raise _unknown(wanted, self.offered)
        if any(errand.action == "remove" for errand in self._errands_of(wanted)):
            raise RequestRefused("model-in-use", f"the model {wanted!r} is being removed: choose another one")

    # --- what is to be done ------------------------------------------------------------------------------------------

    def fetch(self, name: str) -> None:
        """Have a model downloaded, or go on with that. What is here or under way stays as it is.

        Raises:
            RequestRefused: "unknown-model" or "not-allowed".
        """
        self._check_known(name)
        if not self._errands_of(name, "fetch") and not self._look(name).is_here:
            self._add("fetch", name)

    def stop(self, name: str) -> None:
        """Stop the download of a model, if there is one. Raises: RequestRefused, as fetch."""
        self._check_known(name)
        for errand in self._errands_of(name, "fetch"):
            errand.fault, errand.message = "stopped", "the download was stopped; what has come is kept"
            self._end(errand)

    def remove(self, name: str, users: Iterable[str]) -> None:
        """Have a model deleted.

        Args:
            users: the models ("" is the default one) of the jobs that run or wait.

        Raises:
            RequestRefused: as fetch; "not-allowed" also where it is a folder that somebody made, or "model-in-use".
        """
        self._check_known(name)
        if not self._look(name).is_removable:
            raise RequestRefused(
                "not-allowed",
                f"the model {name!r} is not removed: its files in {self._look(name).source} are of no download",
            )
        if self._errands_of(name, "fetch"):
            raise RequestRefused("model-in-use", f"the model {name!r} is being fetched: stop that first")
        if not self._look(name).disk:
            raise RequestRefused("unknown-model", f"nothing of the model {name!r} is here that could be removed")
        count = sum(self._same(user or self._given[0], name) for user in users)
        if count:
            jobs = "1 job needs it" if count == 1 else f"{count} jobs need it"
            raise RequestRefused("model-in-use", f"the model {name!r} is not removed: {jobs}; wait, or cancel first")
        if not self._errands_of(name, "remove"):
            self._add("remove", name)

    def turn(self) -> None:
        """Take in what the child process says, and start the next one."""
        if not self._errands:
            return
        errand = self._errands[0]
        if errand.process is None:
            self._start(errand)
        else:
            self._read(errand, errand.process)

    def close(self) -> None:
        """End what is under way: what has come of a download stays."""
        for errand in tuple(self._errands):
            self._end(errand)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _check_known(self, name: str) -> None:
        if self._why_fixed:
            raise RequestRefused("not-allowed", self._why_fixed)
        if name not in self.names:
            raise _unknown(name, self.names)

    def _same(self, one: str, other: str) -> bool:
        """Whether two names are of the same files."""
        return self._look(one).source == self._look(other).source

    def _errands_of(self, name: str, *actions: Action) -> list[_Errand]:
        kinds = actions or ("fetch", "remove")
        return [errand for errand in self._errands if errand.action in kinds and self._same(errand.name, name)]

    def _add(self, action: Action, name: str) -> None:
        self._failed.pop(name, None)
        self._errands.append(_Errand(action, name))

    def _start(self, errand: _Errand) -> None:
        log.info("the model %s: %s begins", errand.name, errand.action)
        errand.began = time.monotonic()
        try:
            errand.process = child.start("daemon.library_worker", [errand.action, errand.name], subprocess.DEVNULL)
        except OSError as exc:  # no memory, process or descriptor left
            self._fail(errand, f"the process that does it cannot be started: {exc.strerror}")
            return
        assert errand.process.stdout
        os.set_blocking(errand.process.stdout.fileno(), False)

    def _read(self, errand: _Errand, process: subprocess.Popen[bytes]) -> None:
        exit_code = process.poll()  # before reading: the last words of a process that has ended are heard
        assert process.stdout
        with suppress(BlockingIOError):
            while part := os.read(process.stdout.fileno(), READ_BYTES):
                errand.unread += part
        *lines, errand.unread = errand.unread.split(b"\n")
        for line in lines:
            self._hear(errand, json.loads(line))
        if exit_code is not None:
            if not errand.is_over:
                self._fail(errand, f"the process that did it has ended with exit code {exit_code}")
            else:
                self._end(errand)

    def _hear(self, errand: _Errand, said: dict[str, object]) -> None:
        match said:
            case {"done": int(done), "total": int(total)}:
                errand.done, errand.total = done, total
                errand.remaining = errand.speed.remaining(done, total)
            case _:
                errand.is_over = True
                errand.fault = said.get("fault")  # type: ignore[assignment]
                errand.message = str(said.get("message", ""))

    def _fail(self, errand: _Errand, why: str) -> None:
        errand.fault = "not-fetched" if errand.action == "fetch" else "not-removed"
        errand.message = clip_note(f"{why}; the daemon's log may say more")
        self._end(errand)

    def _end(self, errand: _Errand) -> None:
        self._errands.remove(errand)
        self._seen.clear()
        if errand.process:
            errand.process.kill()
            errand.process.wait()
            assert errand.process.stdout
            errand.process.stdout.close()
        if errand.fault:
            self._failed[errand.name] = errand
        log.info("the model %s: %s ends: %s", errand.name, errand.action, errand.message or "done")

    def _look(self, name: str) -> Stored:
        now = time.monotonic()
        if name not in self._seen or now > self._seen[name][1] + LOOK_PAUSE:
            self._seen[name] = _look(name), now
        return self._seen[name][0]

    def _stored(self, name: str) -> StoredModel:
        seen, errands = self._look(name), self._errands_of(name)
        found = StoredModel(
            name=name,
            source=clip_note(seen.source),
            state="here" if seen.is_here else "partly" if seen.disk else "absent",
            disk=seen.disk,
            download=seen.download,
            removable=seen.is_removable and bool(seen.disk) and not errands and not self._why_fixed,
        )
        if not errands:
            failed = self._failed.get(name)
            return replace(found, fault=failed.fault, message=failed.message) if failed else found
        errand = errands[0]
        if errand.process is None:
            return replace(found, state="waiting")
        return replace(
            found,
            state="fetching" if errand.action == "fetch" else "removing",
            done=errand.done,
            total=errand.total,
            elapsed=time.monotonic() - errand.began,
            remaining=errand.remaining,
        )

    def _info(self, name: str, told: ModelInfo | None) -> ModelInfo:
        if told and (told.side or name in self._given):
            return told
        seen = self._look(name)
        return ModelInfo(name, seen.source, "", loaded=False, side=seen.side, family=seen.family, jobs=seen.jobs)


def _unknown(name: str, known: Iterable[str]) -> RequestRefused:
    return RequestRefused("unknown-model", f"there is no model {name!r}: choose one of {', '.join(known)}")


def _look(name: str) -> Stored:
    try:
        return library.look(name)
    except CheckpointError:  # its jobs say why
        return Stored(name, name, False, 0, 0, False, 0, "", ())
