"""How a file's text is encoded, found from all of its bytes."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import BinaryIO

CHUNK = 1 << 20
_INVALID = re.compile("[\ud800-\udfff]")
_BEYOND_ASCII = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """What it is called, and how Python decodes it."""

    name: str
    codec: str
    errors: str
    invalid: re.Pattern[str]  # what stands where bytes meant nothing

    def is_valid(self, text: str) -> bool:
        """Whether every byte of a line meant something."""
        return text.isascii() or self.invalid.search(text) is None


def _bytewise(name: str, codec: str) -> Encoding:
    return Encoding(name, codec, "surrogateescape", _INVALID)


def _utf_16(name: str, codec: str) -> Encoding:
    # The decoder has no other way to go on after half a character.
    return Encoding(name, codec, "replace", re.compile("\ufffd"))


UTF_8 = _bytewise("UTF-8", "utf-8")
UTF_8_MARKED = _bytewise("UTF-8 with mark", "utf-8-sig")
WINDOWS_1252 = _bytewise("Windows-1252", "cp1252")
UTF_16_LE = _utf_16("UTF-16 LE without mark", "utf-16-le")
UTF_16_BE = _utf_16("UTF-16 BE without mark", "utf-16-be")
UTF_16_LE_MARKED = _utf_16("UTF-16 LE with mark", "utf-16")
UTF_16_BE_MARKED = _utf_16("UTF-16 BE with mark", "utf-16")


def find_encoding(file: BinaryIO) -> Encoding:
    """Reads the file to its end. A mark decides; else zeros beside ASCII; else whether all of it is UTF-8.

    Where some of it beyond ASCII is UTF-8 and some is not, it is UTF-8 with damaged lines.
    """
    chunk = file.read(CHUNK)
    if chunk.startswith(codecs.BOM_UTF16_LE):
        return UTF_16_LE_MARKED
    if chunk.startswith(codecs.BOM_UTF16_BE):
        return UTF_16_BE_MARKED
    if chunk[1:2] == b"\0" == chunk[3:4] and b"\0" not in (chunk[0:1], chunk[2:3]):
        return UTF_16_LE
    if chunk[0:1] == b"\0" == chunk[2:3] and b"\0" not in (chunk[1:2], chunk[3:4]):
        return UTF_16_BE
    marked = chunk.startswith(codecs.BOM_UTF8)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    valid = invalid = False
    while True:
        text = decoder.decode(chunk, final=not chunk)
        if not text.isascii():
            text = text.removeprefix("\ufeff")
            valid = valid or _BEYOND_ASCII.search(text) is not None
            invalid = invalid or _INVALID.search(text) is not None
        if not chunk:
            break
        chunk = file.read(CHUNK)
    if marked:
        return UTF_8_MARKED
    return WINDOWS_1252 if invalid and not valid else UTF_8
