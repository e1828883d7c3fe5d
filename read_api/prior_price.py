"""The prior price of a page, where its market counts a series of reductions as one.

What a market says is no part of the page's fold, whose document has both: only a page on which they differ
costs a second read.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from projections.documents.shapes import ProductDocument
from read_api.stores import Stores
from read_api.terms import MAIN_MARKET, market_of, read_terms

_DIFFERS = b'"progressive_prior_price":{'

_decode = msgspec.json.Decoder(ProductDocument).decode
_encode = msgspec.json.Encoder().encode


async def in_main_market(stores: Stores, pages: Sequence[bytes]) -> Sequence[bytes]:
    """The pages with the prior price of the market `main`."""
    if not any(_DIFFERS in page for page in pages):
        return pages
    terms = await read_terms(stores, "markets")
    market = market_of(terms.documents[0], MAIN_MARKET, terms.position)
    if market is None or not market.progressive:
        return pages
    return [_progressive(page) if _DIFFERS in page else page for page in pages]


def _progressive(page: bytes) -> bytes:
    product = _decode(page)
    if product.progressive_prior_price is None:  # a text of the page looks like the field
        return page
    product.prior_price, product.progressive_prior_price = product.progressive_prior_price, None
    return _encode(product)
