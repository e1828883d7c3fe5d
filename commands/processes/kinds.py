"""Every kind of process there is: a new one is a file beside this one, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from commands.gateways.gateway import Gateway
from commands.processes.kind import ProcessKind
from commands.processes.manager import utc_now
from commands.processes.payment import Payment
from commands.processes.reservation_expiry import ReservationExpiry


def all_kinds(gateway: Gateway, *, clock: Callable[[], datetime] = utc_now) -> tuple[ProcessKind, ...]:
    """With what each of them calls."""
    return (Payment(gateway, clock=clock), ReservationExpiry())
