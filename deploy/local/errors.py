"""What keeps the local system from running; the message is the one line that a person is shown."""

from __future__ import annotations


class CannotRun(Exception):  # noqa: N818
    """The root of this folder's errors: what is wrong and, where there is one, the way out."""


class FolderUnusable(CannotRun):
    """A folder is damaged, closed to us, or not a folder at all. Nothing in it was changed."""


class AlreadyRunning(CannotRun):
    """Another `daybook up` holds this data folder."""


class PortInUse(CannotRun):
    """Somebody else listens on the port."""


class ServerFailed(CannotRun):
    """A server or one of our processes ended, or would not start; the message has its log's last line."""


class StartsOver(CannotRun):
    """A server could not use what it kept and can do without: its next start begins empty."""


class NotRunning(CannotRun):
    """No local system is up in this data folder and no addresses were given."""
