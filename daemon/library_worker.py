"""The child process that fetches or removes one model: `python -m daemon.library_worker fetch|remove NAME`.

It writes a line of JSON for each step forward, {"done": bytes, "total": bytes}, and in the end {} or the reason why it
has failed, {"fault": a LibraryFault, "message": a sentence}. To stop it, kill it: what has come stays.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

from daemon.child import die_with_parent
from daemon.texts import clip_note
from kandinsky_backend import families, library
from kandinsky_backend.errors import CheckpointError, HubError
from plugin_client.wire.messages import LibraryFault

_FAULTS: dict[str, LibraryFault] = {  # by the codes of HubError
    "disk-too-small": "disk-full",
    "disk-filled": "disk-full",
    "unreachable": "hub-unreachable",
    "cut-off": "hub-unreachable",
}


def main(arguments: Sequence[str]) -> None:
    die_with_parent()
    action, name = arguments
    for line in _fetched(name) if action == "fetch" else _removed(name):
        print(json.dumps(line), flush=True)


def _fetched(name: str) -> Iterator[dict[str, object]]:
    try:
        for done, total in library.fetch(families.locate(name)):
            yield {"done": done, "total": total}
    except CheckpointError as exc:
        known = _FAULTS.get(exc.code) if isinstance(exc, HubError) else None
        yield {"fault": known or "not-fetched", "message": clip_note(str(exc))}
    else:
        yield {}


def _removed(name: str) -> Iterator[dict[str, object]]:
    try:
        library.remove(families.locate(name))
    except CheckpointError as exc:
        yield {"fault": "not-removed", "message": clip_note(str(exc))}
    else:
        yield {}


if __name__ == "__main__":
    main(sys.argv[1:])
