"""What can go wrong when a read model is read."""

from __future__ import annotations


class ReadError(Exception):
    """The root of the reading side's errors."""


class ViewNotReady(ReadError):  # noqa: N818
    """The view is being built from the log for the first time, or anew after its store was emptied."""

    def __init__(self, view: str) -> None:
        super().__init__(f"the view {view} is not ready yet")
        self.view = view


class ReadStoreUnavailable(ReadError):  # noqa: N818
    """The store of the read models is away or does not answer in time; trying again later may work."""
