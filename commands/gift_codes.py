"""Codes of gift cards, and the ids of accounts of credit. No code is stored: it is worked out again.

A code follows from the installation's secret and from what asked for it; the account's id from the code. So
a request that is repeated gets the same code, and who reads the log learns none.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from aggregates.kernel import LineId, OrderId

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: without the letters I, L, O and U."""
CHARACTERS = 16
CODE = r"^[0-9A-Za-z](?:[ -]?[0-9A-Za-z]){15}$"
"""As a person may type one: in groups, in small letters, with O for 0."""

_ISSUED, _SOLD = b"gift card issued\0", b"gift card sold\0"
_ACCOUNT, _STORE_CREDIT = b"gift card account\0", b"store credit account\0"
# Nothing else that is hashed under the installation's secret begins so.

_AS_MEANT = str.maketrans("OIL", "011", " -")


@dataclass(frozen=True, slots=True)
class GiftCodes:
    """Codes and ids under the installation's secret."""

    secret: bytes = field(repr=False)

    def issued(self, key: bytes) -> str:
        """The code of the card that the request with this key issues."""
        return self._code(_ISSUED + key)

    def sold(self, order_id: OrderId, line_id: LineId, unit: int) -> str:
        """The code of a unit of an order's line, counted from 1."""
        return self._code(_SOLD + "\0".join((order_id, line_id, str(unit))).encode())

    def account_id(self, code: str) -> str:
        """The account that a code is for: 32 hexadecimal digits, be there such an account or not."""
        meant = code.upper().translate(_AS_MEANT)
        return self._hash(_ACCOUNT + meant.encode()).hex()[:32]

    def sold_account(self, order_id: OrderId, line_id: LineId, unit: int) -> str:
        """The account of a unit of an order's line."""
        return self.account_id(self.sold(order_id, line_id, unit))

    def store_credit_id(self, customer_id: str, currency: str) -> str:
        """The account of a customer's store credit in a currency."""
        return self._hash(_STORE_CREDIT + "\0".join((customer_id, currency)).encode()).hex()[:32]

    def _code(self, what: bytes) -> str:
        bits = int.from_bytes(self._hash(what)[:10])
        return "".join(ALPHABET[bits >> 5 * place & 31] for place in reversed(range(CHARACTERS)))

    def _hash(self, text: bytes) -> bytes:
        return hmac.digest(self.secret, text, "sha256")
