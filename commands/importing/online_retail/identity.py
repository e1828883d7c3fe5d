"""Once for ever: ids follow from the invoice, so that a second import finds what the first one made."""

from __future__ import annotations

import hmac
from hashlib import sha256

SOURCE = "online-retail"
"""Both editions are one shop's books under one numbering: an invoice is the same whichever has it."""


class Identity:
    """Ids of 128 bits, hex, that only the holder of the installation's secret can derive."""

    def __init__(self, secret: bytes, source: str = SOURCE) -> None:
        self._secret = secret
        self._source = source

    def order(self, invoice: str) -> str:
        """The order a sale invoice becomes."""
        return self._of("order", invoice)

    def fulfilment(self, invoice: str) -> str:
        """The one fulfilment of that order."""
        return self._of("fulfilment", invoice)

    def credit_note(self, invoice: str, part: int) -> str:
        """The nth credit note of a cancellation; the first stands for the cancellation itself."""
        return self._of("credit note", invoice, str(part))

    def goods_return(self, invoice: str, part: int) -> str:
        """The return that goes with the nth credit note."""
        return self._of("return", invoice, str(part))

    def _of(self, *parts: str) -> str:
        # The separator stands in no invoice number, so no two lists of parts join to one text.
        text = "\x1f".join((self._source, *parts))
        return hmac.new(self._secret, text.encode(), sha256).hexdigest()[:32]


def adjustment_source(invoice: str, nth: int) -> str:
    """What marks the stock adjustment of an invoice's nth line as done."""
    return f"{SOURCE}:{invoice}:{nth}"


def receipt_source(digest: str) -> str:
    """What marks the opening stock for a file's sales as received."""
    return f"{SOURCE}:{digest}"


def top_up_source(digest: str, invoice: str) -> str:
    """What marks units received because others had bought what an invoice was to be sent from."""
    return f"{SOURCE}:{digest}:{invoice}"
