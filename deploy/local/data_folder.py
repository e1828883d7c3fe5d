"""The data folder: what lies where in it, who holds it, and where the servers' part lies when not in it.

<data>/run/        lock, addresses and recorded processes of the running system
<data>/logs/       one log for each process
<data>/postgres, <data>/redis     the servers' own files, or
<data>/servers     a file that names the folder where they lie instead
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from deploy.local.errors import AlreadyRunning, FolderUnusable
from deploy.local.servers.account import Account, our_account, server_account
from deploy.local.servers.binaries import shared_folder

PATH_BYTES_MAX = 900  # of the 1,024 that PostgreSQL has for the names of its files

RUN, LOGS = "run", "logs"
_LOCK = Path(RUN) / "lock"
_POINTER = "servers"


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders of one local system."""

    data: Path
    servers: Path  # holds postgres/ and redis/
    sockets: Path  # short: a socket's path has room for about 100 bytes
    account: Account  # whom the servers run as

    @property
    def run(self) -> Path:
        return self.data / RUN

    @property
    def logs(self) -> Path:
        return self.data / LOGS

    def make_sockets(self) -> None:
        """Makes the sockets' folder again where it was removed. Raises FolderUnusable."""
        _made_socket_folder(self.data, self.account)


class LockedFolder:
    """A data folder, locked for us alone until closed; made where it was missing."""

    def __init__(self, data: Path) -> None:
        """Raises FolderUnusable or AlreadyRunning."""
        self.data = data.resolve()
        self._made: list[Path] = []
        _refuse_unusable(self.data)
        try:
            self._make(self.data)
            for name in (RUN, LOGS):
                self._make(self.data / name)
            lock = (self.data / _LOCK).open("a+")
        except OSError as error:
            self._remove_made()
            raise FolderUnusable(f"cannot use the data folder {self.data}: {error.strerror}") from error
        # One that was given up meanwhile took its lock file away: a lock on that would keep nobody out.
        if not _locked(lock) or not _is_still(lock, self.data / _LOCK):
            lock.close()
            raise AlreadyRunning(f"another `daybook up` is running on {self.data}")
        self._lock = lock

    @property
    def is_new(self) -> bool:
        return self.data in self._made

    def close(self, *, forget: bool = False) -> None:
        """Unlock it; `forget` removes the folders that were made, where they are still empty."""
        if forget and self._made:
            (self.data / _LOCK).unlink(missing_ok=True)
            self._remove_made()
        self._lock.close()

    def _make(self, folder: Path) -> None:
        missing = [step for step in (folder, *folder.parents) if not step.exists()]
        for step in reversed(missing):
            step.mkdir(mode=0o700)
            self._made.append(step)
            if os.geteuid() == 0 and step.parent != self.data:
                # Root's servers are somebody else, who must be able to walk through; nobody else need.
                os.chown(step, 0, server_account().gid)
                step.chmod(0o710 if step == self.data else 0o711)
        if not folder.is_dir():
            raise FolderUnusable(f"cannot use the data folder: {folder} is not a folder")

    def _remove_made(self) -> None:
        for folder in reversed(self._made):
            try:
                folder.rmdir()
            except OSError:
                return


def _refuse_unusable(data: Path) -> None:
    try:
        size = len(str(data).encode())
    except UnicodeEncodeError:
        raise FolderUnusable(f"cannot use the data folder {data}: its name is not UTF-8") from None
    if size > PATH_BYTES_MAX:
        at_most = f"its path has {size} bytes, PostgreSQL takes {PATH_BYTES_MAX}"
        raise FolderUnusable(f"cannot use the data folder …{str(data)[-60:]}: {at_most}")


def _locked(lock: TextIO) -> bool:
    # A process that checks whether the system runs holds the lock for a moment.
    for _ in range(10):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def _is_still(lock: TextIO, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock.fileno()), file.stat())
    except OSError:
        return False


def is_locked(data: Path) -> bool:
    """Whether an `up` runs on this data folder."""
    try:
        with (data / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise FolderUnusable(f"cannot use the data folder {data}: {error.strerror}") from error
    return False


def open_paths(data: Path) -> Paths:
    """Decide where the servers' files lie, and make their folders. `data` exists and is held by us."""
    servers = _pointed_at(data)
    if servers is None:
        own = server_account(data / "postgres")
        if (data / "postgres").exists() and not own.may_enter(data):
            raise FolderUnusable(f"{data}/postgres lies where its owner (user {own.uid}) can no longer enter")
        servers = data if own.may_enter(data) else _folder_elsewhere(data)
    account = server_account(servers / "postgres")
    return Paths(data=data, servers=servers, sockets=_made_socket_folder(data, account), account=account)


def remove_sockets(paths: Paths) -> None:
    """Remove the sockets' folder: a stopped system leaves nothing outside its data folder."""
    shutil.rmtree(paths.sockets, ignore_errors=True)


def _pointed_at(data: Path) -> Path | None:
    pointer = data / _POINTER
    if not pointer.exists():
        return None
    try:
        folder = Path(pointer.read_text().strip())
    except OSError as error:
        raise FolderUnusable(f"cannot read {pointer}: {error.strerror}") from error
    if not folder.is_absolute() or not folder.is_dir():
        raise FolderUnusable(f"{pointer} names no folder that is there; the servers' files are missing")
    return folder


def _folder_elsewhere(data: Path) -> Path:
    # A new name each time: a data folder that was deleted and made again must not find its old books.
    folder = shared_folder() / uuid.uuid4().hex
    folder.mkdir(mode=0o711)
    folder.chmod(0o711)
    (folder / "belongs-to").write_text(f"{data}\n")
    descriptor, temporary = tempfile.mkstemp(dir=data, prefix=f"{_POINTER}-")
    with open(descriptor, "w") as file:  # noqa: PTH123 - a descriptor
        file.write(f"{folder}\n")
    Path(temporary).rename(data / _POINTER)
    return folder


def socket_folder(data: Path, account: Account) -> Path:
    """Where the sockets of that data folder lie: a short path that `account` can reach."""
    base = Path(tempfile.gettempdir()).resolve()
    if len(str(base)) > 40 or not account.may_enter(base):
        base = Path("/tmp")
    return base / f"daybook-{os.geteuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"


def _made_socket_folder(data: Path, account: Account) -> Path:
    """The same, made so that only we and the servers' user can enter."""
    us = our_account()
    folder = socket_folder(data, account)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not folder.is_dir() or folder.is_symlink() or found.st_uid not in {us.uid, account.uid}:
            raise FolderUnusable(f"{folder} is somebody else's; remove it, or set TMPDIR") from None
    folder.chmod(0o700 if account.is_us else 0o770)
    if not account.is_us:
        # The servers' user owns it and our group may enter: so neither needs to be almighty.
        shutil.chown(folder, account.uid, us.gid)
    return folder
