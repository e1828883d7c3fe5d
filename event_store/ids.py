"""Ids in the order of time, so that the log's indexes grow at their ends.

Ids without an order would touch all of an index, and an append would cost the more the larger the log is.
"""

from __future__ import annotations

import secrets
import time
from random import Random
from uuid import UUID

_UNIQUE = Random()
"""For ids that need not be secret: the system's source would cost more than a decision."""


def new_command_id() -> UUID:
    """A UUID of version 7: a millisecond and 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds << 80) | _UNIQUE.getrandbits(80)
    return UUID(int=bits & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62))


def new_id() -> str:
    """What a stream is named by, which nobody can guess: a second and 128 random bits, in 40 hex digits."""
    return f"{int(time.time()):08x}{secrets.token_hex(16)}"
