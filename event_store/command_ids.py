"""Ids of commands, in the order of time."""

from __future__ import annotations

import time
from random import Random
from uuid import UUID

_UNIQUE = Random()
"""Ids must be unique and need not be secret: the system's source would cost more than a decision."""


def new_command_id() -> UUID:
    """A UUID of version 7: a millisecond and 74 random bits.

    The journal's index so grows at its end, whatever its size; ids without an order would touch all of it.
    """
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds << 80) | _UNIQUE.getrandbits(80)
    return UUID(int=bits & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62))
