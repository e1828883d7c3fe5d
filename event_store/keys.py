"""Subjects' keys: personal data is sealed under its subject's key, and gone once the key is.

AES-256-GCM with a random nonce; the subject is authenticated too, so that what was sealed for one person
cannot be passed off as another's.
"""

from __future__ import annotations

import base64
import binascii
import os
from functools import lru_cache
from typing import Any, TypedDict

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from event_store.errors import DecodingFailed

KEY_BYTES = 32
_NONCE_BYTES = 12


class Sealed(TypedDict):
    """How a sealed value stands in JSON."""

    sealed: str  # base64 of nonce and ciphertext
    subject: str


def new_subject_key() -> bytes:
    """A random key for one subject."""
    return os.urandom(KEY_BYTES)


def is_sealed(value: Any) -> bool:
    """Whether a JSON value is a sealed one."""
    return isinstance(value, dict) and value.keys() == {"sealed", "subject"}


def seal(plain: bytes, *, subject: str, key: bytes) -> Sealed:
    """The value, readable only with the subject's key."""
    nonce = os.urandom(_NONCE_BYTES)
    ciphertext = _cipher(key).encrypt(nonce, plain, subject.encode())
    return {"sealed": base64.b64encode(nonce + ciphertext).decode(), "subject": subject}


def unseal(sealed: Sealed, *, key: bytes) -> bytes:
    """What was sealed. DecodingFailed for another key, another subject or damaged bytes."""
    try:
        stored = base64.b64decode(sealed["sealed"], validate=True)
        return _cipher(key).decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], sealed["subject"].encode())
    except (binascii.Error, ValueError, InvalidTag) as error:
        raise DecodingFailed(f"a value sealed for {sealed['subject']} does not open") from error


@lru_cache(maxsize=1024)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)
