"""Large files of the hub, fetched into huggingface_hub's cache so that a killed download goes on where it ended.

huggingface_hub writes to a file of another name each time, and hf_xet not from the beginning to the end: of what a
killed process leaves neither can use anything. Here an unfinished file bears the name of what it is to be.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub.file_download import http_get
from huggingface_hub.utils import WeakFileLock, build_hf_headers  # type: ignore[attr-defined]  # has no __all__

_SHA256_DIGITS = 64


@dataclass(frozen=True)
class Blob:
    """A file of a repository, and where the cache keeps it.

    Attributes:
        folder: the repository's in the cache.
        name: the file's path in the repository.
        etag: what the hub calls these contents; of large files the SHA-256 in hexadecimal digits.
        size: in bytes.
    """

    url: str
    folder: Path
    name: str
    etag: str
    size: int

    @property
    def path(self) -> Path:
        """Where the whole file is to be."""
        return self.folder / "blobs" / self.etag

    @property
    def unfinished(self) -> Path:
        """The file's first bytes, as long as there are not all of them."""
        return self.path.with_name(f"{self.etag}.{self._flat_name}.incomplete")

    @property
    def fetched_bytes(self) -> int:
        """How many bytes of the file are here."""
        if self.path.exists():
            return self.size
        return min(self.unfinished.stat().st_size, self.size) if self.unfinished.exists() else 0

    def fetch(self, token: bool | str | None) -> None:
        """Download what is missing; waits while another process downloads the same file.

        Raises:
            HfHubHTTPError, httpx.HTTPError, OSError: as of huggingface_hub.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.folder.parent / ".locks" / self.folder.name / f"{self.etag}.lock"  # huggingface_hub's own
        lock.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            if self.path.exists():
                return
            self._remove_others()
            if self._append(token) and not self._is_intact():  # as after a power failure
                self.unfinished.unlink()
                self._append(token)
            self.unfinished.replace(self.path)

    @property
    def _flat_name(self) -> str:
        return self.name.replace("/", "--")

    def _remove_others(self) -> None:
        """Remove what is unfinished of the same file as it was before it changed on the hub, or has grown too long."""
        for path in self.path.parent.glob(f"*.{self._flat_name}.incomplete"):
            if path != self.unfinished or path.stat().st_size > self.size:
                path.unlink()

    def _append(self, token: bool | str | None) -> bool:
        """Append what is missing to the unfinished file; True if there was something of it."""
        with self.unfinished.open("ab") as file:
            start = file.tell()
            headers = build_hf_headers(token=token)
            http_get(
                self.url,
                file,
                resume_size=start,
                headers=headers,
                expected_size=self.size,
                displayed_filename=self.name,
            )
        return start > 0

    def _is_intact(self) -> bool:
        """False if the bytes are not those that the etag tells of; reads all of them."""
        if len(self.etag) != _SHA256_DIGITS:
            return True
        digest = hashlib.sha256()
        with self.unfinished.open("rb") as file:
            while part := file.read(2**20):
                digest.update(part)
        return digest.hexdigest() == self.etag
