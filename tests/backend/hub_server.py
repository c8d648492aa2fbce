"""A small server that answers huggingface_hub as the hub does: model info, file tree, files by HEAD and ranged GET."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from huggingface_hub import constants

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PART = 4 * 2**20  # bytes that are sent at a time


@dataclass
class Hub:
    """What the server offers, how it misbehaves, and what it was asked."""

    repos: dict[str, Path]  # id -> folder
    url: str = ""
    revisions: tuple[str, ...] = ("main", COMMIT)
    token: str | None = None  # needed to see anything
    gated: bool = False
    cut_after: int | None = None  # bytes of a weights file after which the connection ends, once
    delay: float = 0.0  # s, between two parts of a weights file
    requests: list[Request] = field(default_factory=list)

    def downloads(self) -> list[str]:
        """The files of which bytes were fetched."""
        return [request.path.split(f"/resolve/{COMMIT}/")[1] for request in self.requests if request.is_download]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    token: str
    range: str

    @property
    def is_download(self) -> bool:
        return self.method == "GET" and "/resolve/" in self.path


@dataclass
class HubSettings:
    """huggingface_hub's settings, which it reads from the environment once, when it is imported."""

    monkeypatch: pytest.MonkeyPatch
    home: Path

    def __post_init__(self) -> None:
        self.move_to(self.home)

    def move_to(self, home: Path) -> None:
        """Have another, empty home."""
        self.home = home
        self.monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        self.monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))

    def connect(self, url: str) -> None:
        self.monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        self.monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@contextmanager
def serve(repos: dict[str, Path]) -> Iterator[Hub]:
    """Run a hub at a free port of this machine."""
    hub = Hub(repos)
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hub
        finally:  # it would spin on its closed socket for as long as the process lives
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        path = unquote(self.path.split("?")[0])
        headers = self.headers
        token, range_ = headers.get("Authorization", ""), headers.get("Range", "")
        self.hub.requests.append(Request(self.command, path, token, range_))
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/([^/]+)/?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        repo, revision = (match[1], match[3]) if match else (file[1], file[2]) if file else ("", "")
        if not self._may_see(repo, revision, token):
            return
        folder = self.hub.repos[repo]
        if file:
            self._send_file(folder / file[3])
        elif match and match[2] == "revision":
            files = [{"rfilename": entry["path"]} for entry in _tree(folder)]
            self._send_json({"id": repo, "modelId": repo, "sha": COMMIT, "siblings": files})
        else:
            self._send_json(_tree(folder))

    def _may_see(self, repo: str, revision: str, token: str) -> bool:
        if self.hub.token is not None and token != f"Bearer {self.hub.token}":
            if token:
                self._refuse(401, "", "Invalid credentials in Authorization header")
            else:  # the hub does not tell strangers whether a private repository exists
                self._refuse(401, "RepoNotFound", "Repository not found")
        elif repo not in self.hub.repos:
            self._refuse(404, "RepoNotFound", "Repository not found")
        elif self.hub.gated:
            self._refuse(403, "GatedRepo", "Access to this model is restricted")
        elif revision not in self.hub.revisions:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            return True
        return False

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"error": message}).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self._send_body(body)

    def _send_json(self, value: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self._send_body(json.dumps(value).encode())

    def _send_file(self, path: Path) -> None:
        if not path.is_file():
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        data = path.read_bytes()
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) if "Range" in self.headers else 0
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{_etag(path)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self._send_body(data[start:], may_cut=path.suffix == ".safetensors")

    def _send_body(self, body: bytes, may_cut: bool = False) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if may_cut and self.hub.cut_after is not None:
            body, self.hub.cut_after = body[: self.hub.cut_after], None
            self.close_connection = True
        for start in range(0, len(body), PART):
            self.wfile.write(body[start : start + PART])
            if may_cut:
                time.sleep(self.hub.delay)


def _etag(path: Path) -> str:
    if path.suffix == ".safetensors":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


def _tree(folder: Path) -> list[dict[str, Any]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        {"type": "file", "path": str(path.relative_to(folder)), "size": path.stat().st_size, "oid": _etag(path)}
        for path in files
    ]
