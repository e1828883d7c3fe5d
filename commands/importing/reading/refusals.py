"""Why a file, or one of its lines, is not taken."""

from __future__ import annotations

from dataclasses import dataclass

TEXT_MAX = 200


class NotOnlineRetail(Exception):  # noqa: N818 - a refusal of the file
    """The file is not one of these, is broken, or is ambiguous: nothing of it is taken."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A line that cannot be read with certainty, and why."""

    number: int
    reason: str
    text: str  # as it stands there, cut to 200 characters


def damaged(number: int, reason: str, text: str) -> Damaged:
    """A damaged line whose text can be shown on a terminal."""
    return Damaged(number, reason, printable(text.strip(), TEXT_MAX))


def printable(text: str, length: int) -> str:
    """The beginning of a text, on one line, with what cannot be shown replaced."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:length])
