"""Bodies of JSON, read the same way by every route.

Stricter than the standard library: UTF-8 alone (a byte order mark is skipped), no key twice, no NaN, no NUL,
no half of a surrogate pair, and no more keys than a command can have use for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Coroutine
from json import JSONDecodeError, JSONDecoder
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

KEYS_MAX = 10_000
"""In all objects of a body together: what the rates of a tax area have, with every field."""

_BYTE_ORDER_MARK = "\ufeff"
_UNFIT = re.compile("[\0\ud800-\udfff]")


class InvalidBody(HTTPException):
    """JSON that no command is made of; `faults` as pydantic lists them."""

    def __init__(self, message: str, *where: str | int) -> None:
        super().__init__(422, message)
        self.faults = [{"loc": ("body", *where), "msg": message}]


def parse_json(body: bytes) -> Any:
    """The body, parsed. Raises JSONDecodeError where it is no JSON, InvalidBody for JSON we do not take."""
    keys = 0

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal keys
        keys += len(pairs)
        found = dict(pairs)
        if len(found) != len(pairs):
            raise InvalidBody("appears more than once in one object", _repeated(pairs))
        return found

    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise JSONDecodeError("not UTF-8", "", error.start) from error
    try:
        value = JSONDecoder(object_pairs_hook=object_of, parse_constant=_no_constant).decode(
            text.removeprefix(_BYTE_ORDER_MARK)
        )
    except RecursionError as error:
        raise InvalidBody("is nested too deep") from error
    except JSONDecodeError:
        raise
    except ValueError as error:  # Python's error for a number with thousands of digits
        raise InvalidBody("has a number that is too long") from error
    if keys > KEYS_MAX:
        raise InvalidBody(f"has {keys} keys; no request has more than {KEYS_MAX}")
    if "\\u" in text:  # only an escape can spell what is looked for
        _refuse_unfit_text(value)
    return value


class JsonRoute(APIRoute):
    """A route whose body is read by `parse_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, handed a request that reads its body so."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(_JsonRequest(request.scope, request.receive))

        return handle_json


class _JsonRequest(Request):
    async def json(self) -> Any:
        return parse_json(await self.body())


def _no_constant(name: str) -> Any:
    raise JSONDecodeError(f"{name} is not JSON", "", 0)


def _repeated(pairs: list[tuple[str, Any]]) -> str:
    counted = Counter(key for key, _ in pairs)
    return _shown(next(key for key, times in counted.items() if times > 1))


def _refuse_unfit_text(value: Any) -> None:
    """Looks at every text within, keys too. Without recursion: the parser may go deeper than we could."""
    left: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while left:
        where, one = left.pop()
        if isinstance(one, str):
            if found := _UNFIT.search(one):
                raise InvalidBody(
                    "has the character NUL" if found[0] == "\0" else "has half a character", *where
                )
        elif isinstance(one, list):
            left += (((*where, at), item) for at, item in enumerate(one))
        elif isinstance(one, dict):
            for key, item in one.items():
                named = (*where, _shown(key))
                left += ((named, key), (named, item))


def _shown(key: str) -> str:
    """A key as an answer can repeat it."""
    return _UNFIT.sub("\ufffd", key)
