"""The codec of our events, for whoever reads the log on the commands' side."""

from __future__ import annotations

from aggregates.event_types import EVENT_TYPES
from event_store.codec import Codec

CODEC = Codec(EVENT_TYPES)
