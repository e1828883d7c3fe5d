"""The signature of Stripe's news: `t=<seconds>,v1=<HMAC-SHA256 of time and body, hex>`."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from commands.gateways.gateway import NewsRejected

TOLERANCE_SECONDS = 300

_TIMESTAMP = re.compile(r"[0-9]{1,15}")


def verify(
    body: bytes,
    header: str,
    secrets: Sequence[str],
    now: datetime,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> None:
    """Checks a `Stripe-Signature` header over the body's raw bytes. NewsRejected where no secret signed it.

    Several secrets live while one is being replaced. A time to come is accepted: only the signer can set it.
    """
    parts = [part.split("=", 2) for part in header.split(",")]
    times = [part[1] for part in parts if part[0] == "t" and len(part) > 1]
    signatures = [part[1].encode(errors="replace") for part in parts if part[0] == "v1" and len(part) > 1]
    if any(len(part) < 2 for part in parts if part[0] in ("t", "v1")) or not times or not signatures:
        raise NewsRejected("signature_malformed")
    if _TIMESTAMP.fullmatch(times[0]) is None:
        raise NewsRejected("signature_malformed")
    timestamp = int(times[0])
    expected = [_signature(body, secret, timestamp) for secret in secrets if secret.strip()]
    if not any(hmac.compare_digest(one, other) for one in expected for other in signatures):
        raise NewsRejected("signature_mismatch")
    if timestamp < now.timestamp() - tolerance_seconds:
        raise NewsRejected("signature_too_old")


def sign(body: bytes, secret: str, now: datetime) -> str:
    """The `Stripe-Signature` header for a body sent now."""
    timestamp = int(now.timestamp())
    return f"t={timestamp},v1={_signature(body, secret, timestamp).decode()}"


def _signature(body: bytes, secret: str, timestamp: int) -> bytes:
    signed = b"%d.%b" % (timestamp, body)
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
