"""One spelling for what looks alike, and nothing that cannot be seen."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregates import text
from projections.documents import text as document_text

SPACES = " \u00a0\u1680\u2000\u2007\u200a\u2028\u2029\u202f\u205f\u3000"
BLANK = [
    *("", *SPACES, "\u00ad", "\u0301", "\u0301\u0302", "\u034f", "\u061c", "\u1160", "\u180e", "\u200b"),
    *(
        "\u200d",
        "\u202e",
        "\u2060",
        "\u2066\u2069",
        "\u20dd",
        "\u2800",
        "\u3164",
        "\ufe0f",
        "\ufeff",
        "\uffa0",
    ),
    *("\uffa0", "\U000e0020", "\U000e0100", "\u200b \u2060\u00a0"),
]
CONTROLLED = ["\0", "a\0b", "a\tb", "a\nb", "\x1b[2J", "a\x7f", "a\x85", "\x9f"]
HALF = "a\ud83d"


@pytest.mark.parametrize("space", SPACES)
def test_a_space_is_a_space_and_none_is_kept_around_a_line(space: str) -> None:
    assert text.line(f"{space}Blue{space}mug{space}") == "Blue mug"
    assert text.category(f"{space}Kitchen{space}>{space}Mugs{space}") == "Kitchen > Mugs"
    assert document_text.normalized(f"{space}Blue{space}mug{space}") == "Blue mug"


def test_text_is_normalized() -> None:
    assert (
        text.line("Cafe\u0301")
        == text.prose("Cafe\u0301")
        == document_text.normalized("Cafe\u0301")
        == "Café"
    )
    assert text.category("Ku\u0308che > Cafe\u0301") == "Küche > Café"


@pytest.mark.parametrize("blank", BLANK, ids=ascii)
def test_what_looks_blank_is_blank(blank: str) -> None:
    with pytest.raises(ValueError, match="is blank"):
        text.line(blank)
    with pytest.raises(ValueError, match=r"blank|levels"):
        text.category(f"Kitchen > {blank}")
    assert document_text.is_blank(blank)


@pytest.mark.parametrize("value", [*CONTROLLED, HALF], ids=ascii)
def test_what_controls_is_no_text(value: str) -> None:
    for spell in (text.line, text.category):
        with pytest.raises(ValueError, match=r"control|encode"):
            spell(value)


def test_prose_has_lines_and_tabs_and_may_be_empty() -> None:
    assert text.prose("") == ""
    assert text.prose("a\r\nb\rc\u2028d\te\u00a0f") == "a\nb\nc\nd\te f"
    for value in ("a\0", "\x0c", "\x7f", HALF):
        with pytest.raises(ValueError, match=r"control|encode"):
            text.prose(value)


@pytest.mark.parametrize("value", ["é", "日本", "☕", "❤️", "+", "½", "नी", "l\u200dm", "👩\u200d🍳"])
def test_what_can_be_seen_is_kept_as_it_is(value: str) -> None:
    assert text.line(value) == value
    assert not document_text.is_blank(value)


@given(st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), max_size=6))
def test_the_patterns_say_what_is_taken(value: str) -> None:
    for spell, pattern in (
        (text.line, text.LINE),
        (text.category, text.CATEGORY),
        (text.prose, text.PROSE),
    ):
        try:
            kept = spell(value)
        except ValueError:
            assert not re.fullmatch(pattern, value)
        else:
            assert re.fullmatch(pattern, value)
            assert spell(kept) == kept, "spelt once, spelt for good"
