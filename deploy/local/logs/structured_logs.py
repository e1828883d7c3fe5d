"""How our own processes write their logs: JSON lines on standard error, or words for a terminal.

Logging never raises: what cannot be encoded is written as well as can be. Long lines are cut.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog

TEXT_CHARACTERS_MAX = 500
TRACEBACK_CHARACTERS_MAX = 6_000
LINE_BYTES_MAX = 16_000

_CHATTERING = ("kafka",)
"""Libraries that log dozens of tries a second while a server is away: who calls them says what came of it."""


def configure_logs() -> None:
    """`DAYBOOK_LOG_LEVEL` (debug, info, warning, error) is the lowest level that is written; info by default.

    What libraries report through the standard `logging` takes the same way, from warnings on.
    """
    level = logging.getLevelNamesMapping().get(
        os.environ.get("DAYBOOK_LOG_LEVEL", "info").upper(), logging.INFO
    )
    for_a_person = sys.stderr.isatty()
    # Plain: a traceback with variables would show secrets and persons.
    for_terminals = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = for_terminals if for_a_person else _json
    stamped: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([] if for_a_person else [structlog.processors.format_exc_info]),
        _cut,
    ]
    structlog.configure(
        processors=[*stamped, renderer],
        wrapper_class=_never_raising(level),
        logger_factory=(
            structlog.PrintLoggerFactory(sys.stderr)
            if for_a_person
            else structlog.BytesLoggerFactory(sys.stderr.buffer)
        ),
        cache_logger_on_first_use=True,
    )
    _configure_libraries(stamped, renderer, max(level, logging.WARNING))


def _configure_libraries(stamped: list[Any], renderer: Any, level: int) -> None:
    def rendered(logger: Any, method: str, line: MutableMapping[str, Any]) -> str:
        text = renderer(logger, method, line)
        return text.decode() if isinstance(text, bytes) else str(text)

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *stamped, rendered],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _CHATTERING:
        chattering = logging.getLogger(name)
        chattering.addHandler(logging.NullHandler())
        chattering.propagate = False


def _never_raising(level: int) -> Any:
    filtering: Any = structlog.make_filtering_bound_logger(level)

    class NeverRaising(filtering):  # type: ignore[misc]
        def _proxy_to_logger(self, method_name: str, event: Any = None, **facts: Any) -> Any:
            try:
                return super()._proxy_to_logger(method_name, event, **facts)
            except Exception as error:  # Whatever it is, the caller has other things to do.
                fallback = {"level": method_name, "event": _printable(event), "cut": type(error).__name__}
                sys.stderr.write(f"{json.dumps(fallback)}\n")
                return None

    return NeverRaising


def _cut(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Shortens what is long: of a text its beginning stays, of a traceback its end too."""
    for name, value in line.items():
        if isinstance(value, str):
            most = TRACEBACK_CHARACTERS_MAX if name == "exception" else TEXT_CHARACTERS_MAX
            if len(value) > most:
                ending = value[-most + TEXT_CHARACTERS_MAX :] if name == "exception" else ""
                left_out = len(value) - TEXT_CHARACTERS_MAX - len(ending)
                line[name] = f"{value[:TEXT_CHARACTERS_MAX]} … ({left_out} characters more) {ending}".rstrip()
    return line


def _json(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> bytes:
    rendered = _encoded(line)
    if len(rendered) > LINE_BYTES_MAX:
        kept = {name: value for name, value in line.items() if isinstance(value, str | int | float)}
        rendered = _encoded(kept | {"cut": f"{len(rendered)} bytes"})
    return rendered


def _encoded(line: MutableMapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(line, enc_hook=repr)
    except Exception:  # A lone surrogate, a `repr` that raises, a circle.
        return json.dumps({_printable(name): _printable(value) for name, value in line.items()}).encode()


def _printable(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    try:
        return repr(value)[:TEXT_CHARACTERS_MAX]
    except Exception:
        return f"<{type(value).__name__}>"
