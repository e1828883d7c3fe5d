"""The user that the embedded servers run as, and what that user can reach.

PostgreSQL refuses to run as root. So root starts the servers as `nobody`, or as the user whom an existing
server folder belongs to; everybody else starts them as themselves.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import CannotRun


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine, by number."""

    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        return self.uid == os.geteuid()

    def may_enter(self, folder: Path) -> bool:
        """Whether this user can walk down to `folder` and into it, going by the mode bits alone."""
        folder = folder.resolve()
        return all(self._allowed(step, stat.S_IXOTH) for step in (folder, *folder.parents))

    def may_run(self, program: Path) -> bool:
        """Whether this user can read and execute `program` where it lies."""
        behind_links = program.resolve()
        return all(self.may_enter(folder) for folder in (program.parent, behind_links.parent)) and (
            self._allowed(behind_links, stat.S_IROTH | stat.S_IXOTH)
        )

    def _allowed(self, path: Path, needed: int) -> bool:
        """`needed` is written in the bits for others; the bits that count are the user's own."""
        if self.uid == 0:
            return True
        found = path.stat()
        if found.st_uid == self.uid:
            shift = 6
        elif found.st_gid == self.gid:
            shift = 3
        else:
            shift = 0
        return (found.st_mode >> shift) & needed == needed


def our_account() -> Account:
    return Account(uid=os.geteuid(), gid=os.getegid())


def server_account(existing: Path | None = None) -> Account:
    """Whom the servers run as; `existing` is a server's folder that may have an owner already."""
    if os.geteuid() != 0:
        return our_account()
    if existing is not None and existing.is_dir() and existing.stat().st_uid != 0:
        owner = existing.stat()
        return Account(uid=owner.st_uid, gid=owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise CannotRun(
            "PostgreSQL refuses to run as root and this machine has no user 'nobody'; "
            "run as an ordinary user, or give DAYBOOK_POSTGRES_URL and DAYBOOK_REDIS_URL"
        ) from None
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)
