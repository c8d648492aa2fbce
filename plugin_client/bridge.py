"""The child process behind BridgeTransport: `python -m plugin_client.bridge`, in a Python that has pyzmq."""

from __future__ import annotations

import queue
import sys
import threading
from typing import BinaryIO

from plugin_client.bridge_transport import greeting, read_message, write_message
from plugin_client.transport import Transport
from plugin_client.wire.endpoint import parse_endpoint, read_connection
from plugin_client.wire.errors import KandinskyError
from plugin_client.zmq_transport import ZmqTransport

PAUSE = 0.003  # s between looks at stdin: what a request may wait

Requests = queue.SimpleQueue[list[bytes] | None]


def main() -> None:
    """Carry messages between stdin, stdout and the daemon of this user until stdin ends."""
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    try:
        transport = ZmqTransport(read_connection(parse_endpoint(None)))
    except KandinskyError as exc:
        write_message(stdout, greeting(exc))
        return
    write_message(stdout, greeting(None))
    requests: Requests = queue.SimpleQueue()
    threading.Thread(target=_read, args=(stdin, requests), daemon=True).start()
    _carry(transport, requests, stdout)
    transport.close()


def _read(stdin: BinaryIO, requests: Requests) -> None:
    """A ZeroMQ socket belongs to one thread, and reading stdin blocks: so this thread only reads."""
    while message := read_message(stdin):
        requests.put(message)
    requests.put(None)


def _carry(transport: Transport, requests: Requests, stdout: BinaryIO) -> None:
    while True:
        while not requests.empty():
            request = requests.get()
            if request is None:
                return
            transport.send(request)
        if answer := transport.receive(PAUSE):
            write_message(stdout, answer)


if __name__ == "__main__":
    main()
