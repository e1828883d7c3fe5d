"""Where projector processes show which views have stopped, to each other, to readers and to operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from projections.documents.stops import Stop

Place = tuple[str, int]
"""A view, and its version."""


class Stops(Protocol):
    """What is shown. What is taken off is tried again by every process that has stopped there."""

    def shown(self) -> Mapping[Place, Stop]:
        """All of them. Raises TargetUnavailable."""

    def show(self, stop: Stop) -> None:
        """Shows it, in place of another of the same version. Raises TargetUnavailable."""

    def take_off(self, place: Place) -> None:
        """Shows none there any more. Raises TargetUnavailable."""

    def close(self) -> None:
        """Gives back the connection."""


class OwnStops:
    """Those of one process that is alone, in its memory."""

    def __init__(self) -> None:
        self._shown: dict[Place, Stop] = {}

    def shown(self) -> Mapping[Place, Stop]:
        """See Stops."""
        return dict(self._shown)

    def show(self, stop: Stop) -> None:
        """See Stops."""
        self._shown[stop.view, stop.version] = stop

    def take_off(self, place: Place) -> None:
        """See Stops."""
        self._shown.pop(place, None)

    def close(self) -> None:
        """See Stops."""
