"""Daybook's log, and the `eventsourcing` library's door to it: PERSISTENCE_MODULE=event_store."""

from event_store.library.factory import DaybookFactory

__all__ = ["DaybookFactory"]
