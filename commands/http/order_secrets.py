"""An order's secret: checkout answers it, and a client that sends it back holds the order.

It follows from the installation's secret and the order's id, and is written down nowhere: the order's first
event has its hash, by which the query side knows it.
"""

from __future__ import annotations

import hashlib
import hmac

_ADDRESS_DOMAIN = b"e-mail address\0"
_DOMAIN = b"order secret\0"  # Nothing else that is hashed under the installation's secret begins so.


def order_secret(installation_secret: bytes, order_id: str) -> str:
    """64 hex digits: HMAC-SHA-256."""
    return hmac.new(installation_secret, _DOMAIN + order_id.encode(), "sha256").hexdigest()


def hash_of(secret: str) -> str:
    """What an event and a document may carry of it: SHA-256, hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret_of(installation_secret: bytes, order_id: str, given: str) -> bool:
    """Whether `given` is the order's secret; takes as long whatever is given."""
    return hmac.compare_digest(given.encode(), order_secret(installation_secret, order_id).encode())


def address_hash(installation_secret: bytes, email: str) -> str:
    """What an e-mail address is found by, without being stored: 32 hexadecimal digits."""
    text = email.strip().casefold().encode()
    return hmac.new(installation_secret, _ADDRESS_DOMAIN + text, "sha256").hexdigest()[:32]
