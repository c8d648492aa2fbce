"""The child process of BridgeTransport, in a Python that has pyzmq."""

from __future__ import annotations

import queue
import sys
import threading
from typing import BinaryIO

from plugin_client.transports.base import Transport
from plugin_client.transports.bridge import greeting, read_message, write_message
from plugin_client.transports.zmq import ZmqTransport
from plugin_client.wire.connection_file import read_connection
from plugin_client.wire.errors import KandinskyError
from plugin_client.wire.paths import parse_endpoint

PAUSE_SECONDS = 0.003  # between looks at stdin: the longest that a request waits

Requests = queue.SimpleQueue[list[bytes] | None]


def main(endpoint: str | None = None) -> None:
    """Carry messages between stdin, stdout and a daemon until stdin ends: that at `endpoint`, or this user's."""
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    try:
        transport = ZmqTransport(read_connection(parse_endpoint(endpoint)))
    except KandinskyError as exc:
        write_message(stdout, greeting(exc))
        return
    write_message(stdout, greeting(None))
    requests: Requests = queue.SimpleQueue()
    threading.Thread(target=_read, args=(stdin, requests), daemon=True).start()
    _carry(transport, requests, stdout)
    transport.close()


def _read(stdin: BinaryIO, requests: Requests) -> None:
    """Put each message of stdin into `requests`, and None at its end.

    Reading blocks and a ZeroMQ socket belongs to one thread, so another thread than the socket's does this.
    """
    while message := read_message(stdin):
        requests.put(message)
    requests.put(None)


def _carry(transport: Transport, requests: Requests, stdout: BinaryIO) -> None:
    """Carry messages both ways until None comes among the requests."""
    while True:
        while not requests.empty():
            request = requests.get()
            if request is None:
                return
            transport.send(request)
        if answer := transport.receive(PAUSE_SECONDS):
            write_message(stdout, answer)


if __name__ == "__main__":
    main(*sys.argv[1:2])
