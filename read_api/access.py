"""Who may see what is not for everybody: the operator, and clients that hold an order's secret.

Without an operator token everything is open. With one, nothing of an answer depends on what is there before
the asker was let in: neither its status, nor its headers, nor how long it takes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Annotated

import msgspec
from fastapi import Depends, Header, Request

from deploy.edge.openapi import OPERATOR_TOKEN, ORDER_HOLDER
from deploy.edge.requests import ORDER_SECRET, is_operator, order_secret_required, token_required
from read_api.stores import stores_of

_SECRET = re.compile(r"[0-9a-f]{64}")

OrderSecret = Annotated[
    str | None,
    Header(
        alias=ORDER_SECRET,
        description="What checkout answered as `order_secret`: shows that the order is the asker's.",
    ),
]


class _Order(msgspec.Struct):
    """The part of an order's document that holds its secret's hash."""

    secret_hash: str | None = None  # SHA-256, hex


_decode = msgspec.json.Decoder(_Order).decode


def asks_as_operator(request: Request) -> bool:
    """Whether the request bears the operator's token, or none is set."""
    return is_operator(request.headers, stores_of(request).settings.operator_token)


def operator_only(request: Request, _operator: Annotated[object, Depends(OPERATOR_TOKEN)] = None) -> None:
    """Raises operator-token-required for everybody else."""
    if not asks_as_operator(request):
        raise token_required()


def operator_or_secret(
    request: Request,
    daybook_order_secret: OrderSecret = None,
    _operator: Annotated[object, Depends(OPERATOR_TOKEN)] = None,
    _holder: Annotated[object, Depends(ORDER_HOLDER)] = None,
) -> None:
    """Raises order-secret-required for who shows nothing that could be an order's secret."""
    if not (asks_as_operator(request) or _SECRET.fullmatch(daybook_order_secret or "")):
        raise order_secret_required()


def may_see_order(request: Request, document: bytes | None) -> bool:
    """Whether the asker is the operator, or holds the secret of the order of this document."""
    if asks_as_operator(request):
        return True
    known = None if document is None else _decode(document).secret_hash
    given = hashlib.sha256(request.headers.get(ORDER_SECRET, "").encode()).hexdigest()
    return hmac.compare_digest(given, known or "") and known is not None
