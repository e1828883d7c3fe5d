"""A request's headers and parameters, read the same way by both APIs."""

from __future__ import annotations

import hmac
import re
from collections.abc import Container, Iterable, Mapping
from hashlib import blake2b
from ipaddress import IPv6Address, ip_network
from random import Random

from starlette.requests import Request
from starlette.types import Scope

from deploy.edge.problems import (
    CHALLENGE,
    ORDER_SECRET_REQUIRED,
    TOKEN_REQUIRED,
    UNKNOWN_PARAMETER,
    ProblemError,
)

ORDER_SECRET = "Daybook-Order-Secret"
IPV6_CLIENT_BITS = 64
"""How an IPv6 address names a client: the rest of it, its devices choose at will."""

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_NO_TRACE = b"0" * 32
_UNIQUE = Random()
"""Trace ids are unique, and no secret: the system's source of chance would be a system call each time."""
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*("?)([0-9]{1,6})\1\s*(?:$|[,;])', re.IGNORECASE)


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The trace id of the request's `traceparent` (W3C Trace Context), or a new one: 32 hex digits."""
    for name, value in headers:
        if name == b"traceparent":
            match = _TRACEPARENT.fullmatch(value)
            if match and match[1] != _NO_TRACE:
                return bytes(match[1]).decode()
    return f"{_UNIQUE.getrandbits(128):032x}"


def is_operator(headers: Mapping[str, str], operator_token: str | None) -> bool:
    """Whether the request bears the operator's token, or none is set."""
    if not operator_token:
        return True
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), operator_token.encode())


def client_of(scope: Scope) -> str:
    """Whom a request counts for: its client's address; of IPv6 the network of 64 bits, as one client has all
    of it. Behind trusted proxies it is the address that they forward."""
    host: str = (scope.get("client") or ("local",))[0]
    if ":" not in host:
        return host
    try:
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_CLIENT_BITS), strict=False).network_address)


def token_required() -> ProblemError:
    """The response to everybody else on an operator's route."""
    return ProblemError(TOKEN_REQUIRED, "Send Authorization: Bearer <operator token>.", headers=CHALLENGE)


def order_secret_required() -> ProblemError:
    """The one response to a missing secret, a wrong one, and one for an order that is not there."""
    return ProblemError(
        ORDER_SECRET_REQUIRED,
        f"Send {ORDER_SECRET}: <the order_secret of its checkout>, or the operator's bearer token.",
        headers=CHALLENGE,
    )


def preferred_wait(prefer: str) -> int | None:
    """The seconds of `Prefer: wait=SECONDS` (RFC 7240), None without."""
    match = _WAIT.search(prefer)
    return int(match[2]) if match else None


def parameters_once(request: Request, known: Container[str]) -> dict[str, str]:
    """The query's parameters; raises unknown-parameter for one that is not known, and for one given twice."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise ProblemError(UNKNOWN_PARAMETER, f"Unknown parameter {name!r}.", field=name)
        if name in given:
            raise ProblemError(UNKNOWN_PARAMETER, f"Parameter {name!r} was given twice.", field=name)
        given[name] = value
    return given


def entity_tag(body: bytes) -> str:
    """A strong entity tag of exactly these bytes."""
    return f'"{blake2b(body, digest_size=9).hexdigest()}"'


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether `If-None-Match` (RFC 9110) names the tag: then the answer is 304."""
    if if_none_match is None:
        return False
    return any(one.strip().removeprefix("W/") in {tag, "*"} for one in if_none_match.split(","))
