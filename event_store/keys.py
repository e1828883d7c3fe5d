"""Subjects' keys: personal data is sealed under its subject's key, and gone once the key is.

AES-256-GCM with a random nonce. Where a value stands and whose it is are authenticated with it, so that what
was sealed for one place or person cannot be passed off as another's. Values of form 1, from before that, are
bound to their subject alone.
"""

from __future__ import annotations

import base64
import binascii
import os
from functools import lru_cache
from typing import Any, Literal, NotRequired, TypedDict, TypeGuard
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from event_store.errors import DecodingFailed

KEY_BYTES = 32
_NONCE_BYTES = 12

Place = tuple[str, ...]
"""Where a sealed value stands; no part of it holds a NUL."""


class Sealed(TypedDict):
    """How a sealed value stands in JSON."""

    sealed: str  # base64 of nonce and ciphertext
    subject: str
    form: NotRequired[Literal[2]]  # bound to its place; form 1 has no such field


def place_in_event(stream: str, version: int, field: str) -> Place:
    """A field of an event."""
    return "event", stream, str(version), field


def place_in_arguments(command_id: UUID, field: str) -> Place:
    """A field of a command's arguments, as the journal keeps them."""
    return "command", str(command_id), field


def new_subject_key() -> bytes:
    """A random key for one subject."""
    return os.urandom(KEY_BYTES)


def is_sealed(value: Any) -> TypeGuard[Sealed]:
    """Whether a personal field's JSON is a sealed value. In other fields nothing is, however it looks."""
    return (
        isinstance(value, dict)
        and value.keys() | {"form"} == {"sealed", "subject", "form"}
        and isinstance(value["sealed"], str)
        and isinstance(value["subject"], str)
        and value.get("form", 2) == 2
    )


def seal(plain: bytes, *, subject: str, key: bytes, place: Place) -> Sealed:
    """The value, readable only with the subject's key and in this place."""
    nonce = os.urandom(_NONCE_BYTES)
    ciphertext = _cipher(key).encrypt(nonce, plain, _bound(place, subject))
    return {"sealed": base64.b64encode(nonce + ciphertext).decode(), "subject": subject, "form": 2}


def unseal(sealed: Sealed, *, key: bytes, place: Place) -> bytes:
    """What was sealed. DecodingFailed for another key, subject or place, or damaged bytes."""
    subject = sealed["subject"]
    # No subject holds a NUL, so what is bound to a place never opens as form 1.
    if "form" not in sealed and "\0" in subject:
        raise DecodingFailed("a sealed value names no subject")
    authenticated = _bound(place, subject) if "form" in sealed else subject.encode()
    try:
        stored = base64.b64decode(sealed["sealed"], validate=True)
        return _cipher(key).decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], authenticated)
    except (binascii.Error, ValueError, InvalidTag) as error:
        raise DecodingFailed(f"a value sealed for {subject} does not open") from error


def _bound(place: Place, subject: str) -> bytes:
    return "\0".join(("sealed 2", *place, subject)).encode()


@lru_cache(maxsize=1024)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)
