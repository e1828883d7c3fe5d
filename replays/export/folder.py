"""Where the files of an export lie: a folder on this machine, or an address `s3://bucket/path`.

S3 is reached as the standard variables say: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
AWS_REGION (or AWS_DEFAULT_REGION), and AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL) for a server that is not
Amazon's.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pyarrow import fs

from replays.export.errors import ExportError

TEMPORARY = ".tmp"
"""How the name of a file ends that is being written."""

_CONNECT_SECONDS, _REQUEST_SECONDS = 5.0, 60.0


class Folder:
    """Files by name, below one address. Every call raises ExportError where the place does not answer."""

    def __init__(self, address: str, environment: Mapping[str, str] = os.environ) -> None:
        """The folder need not be there yet."""
        self.address = address
        self.files: fs.FileSystem
        if address.startswith("s3://"):
            self.files, self.path = _s3(environment), address.removeprefix("s3://").strip("/")
            self.is_local = False
        elif "://" in address:
            raise ExportError(f"{address}: this is neither a folder nor an address that begins with s3://")
        else:
            self.files, self.path = fs.LocalFileSystem(), str(Path(address).absolute())
            self.is_local = True

    def place(self, name: str) -> str:
        """Where a file lies, as `files` knows it."""
        return f"{self.path}/{name}"

    def names(self) -> list[str]:
        """Every file below the folder, [] where there is none."""
        selector = fs.FileSelector(self.path, recursive=True, allow_not_found=True)
        with self._failing("cannot be listed"):
            found = self.files.get_file_info(selector)
        return [one.path[len(self.path) + 1 :] for one in found if one.type != fs.FileType.Directory]

    def read(self, name: str) -> bytes | None:
        """A file's content; None where there is no such file."""
        with self._failing(f"{name} cannot be read"):
            try:
                with self.files.open_input_stream(self.place(name)) as file:
                    return bytes(file.read())
            except FileNotFoundError:
                return None

    def write(self, name: str, content: memoryview | bytes) -> None:
        """Makes or replaces a file: wholly, or not at all. A full disk is an ExportError that says so."""
        place = self.place(name)
        with self._failing(f"{name} cannot be written"):
            if self.is_local:
                Path(place).parent.mkdir(parents=True, exist_ok=True)
            try:
                with self.files.open_output_stream(place + TEMPORARY) as file:
                    file.write(content)
                if self.is_local:
                    _to_disk(place + TEMPORARY)
                self.files.move(place + TEMPORARY, place)
            except OSError:
                with suppress(OSError):
                    self.files.delete_file(place + TEMPORARY)
                raise

    def delete(self, name: str) -> None:
        with self._failing(f"{name} cannot be deleted"), suppress(FileNotFoundError):
            self.files.delete_file(self.place(name))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other process of this machine writes there, or ExportError. S3 has no locks."""
        if not self.is_local:
            yield
            return
        with self._failing("cannot be made"):
            Path(self.path).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ExportError(f"{self.address}: another export writes there now") from None
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise ExportError(
                    f"{self.address}: the disk is full. What was exported before is whole;"
                    " make room and run the same command again"
                ) from error
            reason = " ".join(str(error.strerror or error).split())
            raise ExportError(f"{self.address}: {what}: {reason}") from error


def _s3(environment: Mapping[str, str]) -> fs.S3FileSystem:
    def first(*names: str) -> str | None:
        return next((environment[name] for name in names if environment.get(name)), None)

    return fs.S3FileSystem(
        access_key=first("AWS_ACCESS_KEY_ID"),
        secret_key=first("AWS_SECRET_ACCESS_KEY"),
        session_token=first("AWS_SESSION_TOKEN"),
        region=first("AWS_REGION", "AWS_DEFAULT_REGION"),
        endpoint_override=first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
    )


def _to_disk(place: str) -> None:
    """What the manifest will name must be there after the power was cut."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
