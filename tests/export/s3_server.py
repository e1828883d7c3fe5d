"""A server that speaks S3: versitygw, on a folder. It is built by Go, which takes minutes the first time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.go_programs import built
from tests.waiting import wait_until

VERSION = "1.8.0"
BUCKET = "analysis"


def build() -> Path | None:
    """The program, built once; None where Go is missing. RuntimeError."""
    return built("github.com/versity/versitygw/cmd/versitygw", VERSION)


@contextmanager
def running(program: Path, folder: Path) -> Iterator[Mapping[str, str]]:
    """The variables by which its bucket, kept in the folder, is reached while it runs."""
    (folder / BUCKET).mkdir(parents=True)
    access = {
        "AWS_ACCESS_KEY_ID": "analyst",
        "AWS_SECRET_ACCESS_KEY": "no-secret-here",
        "AWS_REGION": "us-east-1",
    }
    command = [str(program), "--quiet", "--port", "127.0.0.1:0", "--region", "us-east-1"]
    secrets = {"ROOT_ACCESS_KEY": "analyst", "ROOT_SECRET_KEY": "no-secret-here"}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [*command, "posix", str(folder)], stdout=log, stderr=log, env={**os.environ, **secrets}
        ) as server,
    ):
        try:
            wait_until(lambda: _ports(server), why=(folder / "log").read_text)
            (port,) = _ports(server)
            yield access | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        finally:
            server.terminate()


def _ports(server: subprocess.Popen[bytes]) -> list[int]:
    assert server.poll() is None, "versitygw has ended"
    listening = psutil.Process(server.pid).net_connections("tcp4")
    return [one.laddr.port for one in listening if one.status == psutil.CONN_LISTEN]
