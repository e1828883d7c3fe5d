"""The head of a request: what it must have, and what it must not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from deploy.edge.problems import HEAD_TOO_LARGE, HOST_UNFIT, MALFORMED_REQUEST, ProblemType

HEAD_BYTES_MAX = 64 * 1024

Fields = Sequence[tuple[bytes, bytes]]
"""Names in lower case, and values."""

ONCE = frozenset(
    {
        b"authorization",
        b"content-type",
        b"daybook-min-position",
        b"daybook-order-secret",
        b"idempotency-key",
        b"last-event-id",
        b"origin",
    }
)
"""Fields that have one value. Of two, a proxy may have judged the other."""

_HOST = re.compile(rb"(?:[\w.~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::\d*)?", re.ASCII)


class Refused(Exception):  # noqa: N818
    """The request gets this problem."""

    def __init__(self, kind: ProblemType) -> None:
        super().__init__(kind.title)
        self.kind = kind


def check_head(method: bytes, target: bytes, version: str, fields: Fields) -> None:
    """Checks what the parser leaves open. Raises Refused."""
    if version not in ("1.1", "1.0") or method == b"CONNECT" or b"#" in target:
        raise Refused(MALFORMED_REQUEST)
    size = len(target)
    hosts: list[bytes] = []
    codings: list[bytes] = []
    for name, value in fields:
        size += len(name) + len(value) + 4
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings.append(value.lower())
    if size > HEAD_BYTES_MAX:
        raise Refused(HEAD_TOO_LARGE)
    if codings and (codings != [b"chunked"] or version == "1.0"):
        raise Refused(MALFORMED_REQUEST)
    if not hosts and version == "1.0":
        return
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        raise Refused(HOST_UNFIT)
    if not target.startswith(b"/") and _authority(target).lower() != hosts[0].lower():
        raise Refused(HOST_UNFIT)


def combine(fields: list[tuple[bytes, bytes]]) -> None:
    """Makes one field of all that bear one name: they are one list (RFC 9110, 5.3), so no reader takes a part
    of it for the whole. Raises Refused for a name that has one value."""
    if len({name for name, _ in fields}) == len(fields):
        return
    values: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    if any(len(values.get(name, ())) > 1 for name in ONCE):
        raise Refused(MALFORMED_REQUEST)
    fields[:] = [(name, b", ".join(given)) for name, given in values.items()]


def without_upgrade(method: bytes, target: bytes, version: str, fields: Fields) -> bytes:
    """The head over the wire, but for the offer of another protocol."""
    lines = [b"%s %s HTTP/%s" % (method, target, version.encode())]
    lines += [b"%s: %s" % field for field in fields if field[0] != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])


def _authority(target: bytes) -> bytes:
    """The host and port of an absolute target, such as a proxy is sent."""
    return re.split(rb"[/?#]", target.partition(b"://")[2], maxsplit=1)[0]
