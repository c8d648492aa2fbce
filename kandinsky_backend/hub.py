"""Downloads from the hub, with its errors as ours."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import DryRunFileInfo
from huggingface_hub.utils.tqdm import tqdm

from kandinsky_backend.blobs import Blob
from kandinsky_backend.errors import CheckpointError, CheckpointNotFound, HubError
from kandinsky_backend.hub_cache import bytes_in, free_bytes, repository_folder

_LARGE = ".safetensors"  # the ending of the files that are worth to go on with
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


@dataclass(frozen=True)
class Transfer:
    """A download that is going on: of `total` bytes, the missing ones are counted in the cache's `folder`."""

    folder: Path
    total: int
    before: int  # bytes in the folder when it began

    @property
    def done(self) -> int:
        """Bytes that have come."""
        return min(max(0, bytes_in(self.folder) - self.before), self.total)


class _NoBar(tqdm):
    """A progress bar that is not shown, for looking at what there is to download."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "disable": True})  # type: ignore[no-untyped-call]


_transfers: list[Transfer] = []


def current_transfer() -> Transfer | None:
    """The download of this process that is going on, in any thread."""
    return next(iter(_transfers), None)


@dataclass(frozen=True)
class Repository:
    """A repository of the hub at one revision.

    Args:
        repo_id: such as "kandinsky-community/kandinsky-2-1".
        revision: a branch, tag or commit; None: the main branch.
        cache_dir: where downloads go; None: huggingface_hub's own setting (HF_HOME, HF_HUB_CACHE).
        force_download: download again what is here already.
        local_files_only: use only what was downloaded before.
        token: a hub token; None: the one of huggingface_hub's own settings; False: none.
    """

    repo_id: str
    revision: str | None = None
    cache_dir: str | Path | None = None
    local_files_only: bool = False
    token: bool | str | None = None
    force_download: bool = False

    def download(self, patterns: list[str]) -> Path:
        """Fetch the files that match fnmatch `patterns` and are not here yet; an interrupted download is resumed.

        Returns:
            The folder that holds them.

        Raises:
            CheckpointNotFound: there is no such repository or revision.
            HubError: the hub cannot be reached, or does not let us in; or the disk is too small.
        """
        with self._translated():
            files, large = self._to_fetch(patterns)
            with self._transfer(_bytes_of(files, large)):
                for blob in large:
                    blob.fetch(self.token)
                return Path(huggingface_hub.snapshot_download(self.repo_id, **self._options(patterns)))

    def missing_bytes(self, patterns: list[str]) -> int:
        """Count what `download` would fetch now.

        Raises:
            CheckpointNotFound, HubError: as of `download`.
        """
        with self._translated():
            return _bytes_of(*self._to_fetch(patterns))

    def _to_fetch(self, patterns: list[str]) -> tuple[list[DryRunFileInfo], list[Blob]]:
        """The files that are missing, and those among them with which a download goes on."""
        files = self._missing(patterns)
        return files, [] if self.force_download else [self._blob(file) for file in files if _is_large(file)]

    def _options(self, patterns: list[str]) -> dict[str, Any]:
        return {
            "revision": self.revision,
            "cache_dir": self.cache_dir,
            "local_files_only": self.local_files_only,
            "force_download": self.force_download,
            "token": self.token,
            "allow_patterns": patterns,
        }

    @property
    def _folder(self) -> Path:
        """The repository's in the cache."""
        return repository_folder(self.repo_id, self.cache_dir)

    @contextmanager
    def _transfer(self, total: int) -> Iterator[None]:
        """Let others see how far a download of `total` bytes is. Raises HubError if the disk is too small for it."""
        blobs = self._folder / "blobs"
        check_room(self.repo_id, total, self._folder.parent)
        transfer = Transfer(blobs, total, bytes_in(blobs))
        if transfer.total:
            _transfers.append(transfer)
        try:
            yield
        except OSError as exc:
            if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise HubError(
                "the disk has become full: {folder} has {free} left, and {missing} of {repo} are missing; make room, "
                "and run again to go on with the download",
                "disk-filled",
                repo=self.repo_id,
                folder=str(self._folder.parent),
                free=_size(free_bytes(self._folder)),
                missing=_size(transfer.total - transfer.done),
            ) from exc
        finally:
            if transfer in _transfers:
                _transfers.remove(transfer)

    def _missing(self, patterns: list[str]) -> list[DryRunFileInfo]:
        """The files that are to be downloaded; none where the hub does not tell, or all of them are small anyway."""
        if self.local_files_only or is_offline() or not any(name.endswith(_LARGE) for name in patterns):
            return []
        with suppress(LocalEntryNotFoundError):  # which the download itself reports, if no copy will do
            files = huggingface_hub.snapshot_download(
                self.repo_id, dry_run=True, tqdm_class=_NoBar, **self._options(patterns)
            )
            return [file for file in files if file.will_download]
        return []

    def _blob(self, file: DryRunFileInfo) -> Blob:
        url = huggingface_hub.hf_hub_url(self.repo_id, file.filename, revision=file.commit_hash)
        about = huggingface_hub.get_hf_file_metadata(url, token=self.token)
        return Blob(url, self._folder, file.filename, str(about.etag), file.file_size or 0)

    def names(self, folder: str) -> list[str]:
        """List the files in a folder of the repository.

        Raises:
            CheckpointNotFound, HubError: as of `download`.
        """
        with self._translated():
            files = huggingface_hub.HfApi(token=self.token).list_repo_files(self.repo_id, revision=self.revision)
        return [name.removeprefix(f"{folder}/") for name in files if name.startswith(f"{folder}/")]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError, httpx.HTTPError) as exc:
            raise self._error(exc) from exc

    def _error(self, exc: Exception) -> CheckpointError:
        """The error of ours that says what `exc` says."""
        repo = self.repo_id
        match exc:
            case HFValidationError():
                return CheckpointNotFound("{repo!r} is neither a folder nor a hub id (owner/name)", "bad-id", repo=repo)
            case GatedRepoError():
                return HubError(
                    "{repo} is open only to those who accepted its terms: do so on its page, then log in",
                    "gated",
                    repo=repo,
                )
            case RevisionNotFoundError():
                return CheckpointNotFound(
                    "{repo} has no revision {revision!r}: check it on the repository's page",
                    "no-revision",
                    repo=repo,
                    revision=self.revision,
                )
            case RepositoryNotFoundError():
                return CheckpointNotFound(
                    "{repo} is no folder here and no public repository on the hub: check its name, or log in with "
                    "`hf auth login` if it is a private one",
                    "no-repository",
                    repo=repo,
                )
            case LocalEntryNotFoundError():
                return HubError(
                    "the hub cannot be reached{why}, and the copy of {repo} on this machine is missing or incomplete: "
                    "connect once to download it",
                    "unreachable",
                    repo=repo,
                    why=self._obstacles(),
                )
            case HfHubHTTPError() if exc.response.status_code == 401:
                return HubError(
                    "the hub does not know the token it was sent: log in with `hf auth login`", "bad-token", repo=repo
                )
            case HfHubHTTPError():
                status = exc.response.status_code
                return HubError(
                    "the hub refuses {repo}: it answers {status}", "refused-by-hub", repo=repo, status=status
                )
        return HubError(
            "the download of {repo} failed, run again to go on with it: {reason}", "cut-off", repo=repo, reason=str(exc)
        )

    def _obstacles(self) -> str:
        """What may stand between us and the hub, in parentheses; "" where nothing that is set does."""
        offline = ["only local files were asked for"] if self.local_files_only else []
        if is_offline():
            offline.append("HF_HUB_OFFLINE is set")
        found = offline or [f"{name} is {value}" for name, value in _detours()]
        return f" ({', '.join(found)})" if found else ""


def check_room(repo: str, needed: int, folder: Path) -> None:
    """Refuse a download that the disk of `folder` is too small for.

    Raises:
        HubError: it is.
    """
    free = free_bytes(folder)
    if needed > free:
        raise HubError(
            "{repo} is a download of {needed}, and {folder} has {free} left: make room there, or have HF_HOME name "
            "a folder on another disk",
            "disk-too-small",
            repo=repo,
            needed=_size(needed),
            free=_size(free),
            folder=str(folder),
        )


def _bytes_of(files: list[DryRunFileInfo], large: list[Blob]) -> int:
    return sum(file.file_size or 0 for file in files) - sum(blob.fetched_bytes for blob in large)


def _is_large(file: DryRunFileInfo) -> bool:
    return file.filename.endswith(_LARGE) and bool(file.file_size)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def is_offline() -> bool:
    """True if huggingface_hub is told to ask no server."""
    return bool(constants.HF_HUB_OFFLINE)


def _detours() -> Iterator[tuple[str, str]]:
    """The settings that lead to the hub another way than straight to its own address, without what is secret."""
    if constants.ENDPOINT != constants._HF_DEFAULT_ENDPOINT:
        yield "HF_ENDPOINT", constants.ENDPOINT
    for name in _PROXIES:
        for spelt in (name, name.lower()):
            if value := os.environ.get(spelt):
                yield spelt, re.sub(r"//[^/@]*@", "//***@", value)
