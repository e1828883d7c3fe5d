"""The normaliser by itself: any text becomes tokens, quickly; what is written otherwise becomes the same."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from projections.documents.words.cutting import WORD_BYTES_MAX, one_form, words_of
from projections.documents.words.lexicon import Lexicon, LexiconError, read_lexicon
from projections.documents.words.normalizer import FIELDS, WORDS_MAX, Normalizer
from projections.lexicon_settings import LexiconSettings

NORMALIZER = Normalizer()
HOSTILE = {
    "one long word": "a" * 10_000,
    "marks without a letter": "\u0301" * 10_000,
    "a letter under many marks": "a" + "\u0301" * 9_999,
    "apostrophes": "'" * 10_000,
    "fractions": "1/" * 5_000,
    "a run": "茶" * 10_000,
    "controls": "\x00\x1b" * 5_000,
    "hyphens": "a-" * 5_000,
    "commas": "1," * 5_000,
    "signs that become many letters": "\ufdfa" * 10_000,
    "a query language": '+title:(mug OR "x"~9) AND [1 TO *] ' * 300,
    "a regular expression": "(a+)+$" * 1_600,
}


def cut(text: str) -> list[str]:
    return [word.text for word in words_of(text)]


@given(st.text(max_size=200))
def test_any_text_is_cut_and_its_one_form_is_its_own(text: str) -> None:
    form = one_form(text)
    assert one_form(form) == form
    for tokens in NORMALIZER.fields("A", text, text, text, {"a": text}).values():
        assert all(len(token.encode()) <= 4 * WORD_BYTES_MAX for token in tokens.split(" "))
    assert len(NORMALIZER.plan(text).words) <= WORDS_MAX


@given(st.text(max_size=200))
def test_what_was_typed_is_found_in_the_same_text(text: str) -> None:
    fields = NORMALIZER.fields("A", text, "", "", {})
    stems = set(fields["title_stems"].split(" "))
    for word in NORMALIZER.plan(text).words:
        assert word.stem in stems


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_takes_less_than_100_ms(kind: str) -> None:
    started = time.process_time()
    NORMALIZER.plan(HOSTILE[kind])
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_makes_no_more_tokens_than_text(kind: str) -> None:
    fields = NORMALIZER.fields("A", HOSTILE[kind], "", "", {})
    assert sum(map(len, fields.values())) < 60 * 10_000
    assert fields.keys() == {*FIELDS, "whole"}


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["mug", "tea", "pot", "55in", "café", "128gb"]), min_size=1, max_size=5))
def test_words_alone_stay_as_they_are(words: list[str]) -> None:
    assert cut(", ".join(words)) == words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('55"', "55 in"),
        ("55-inch", "55 inches"),
        ("55″", "55in"),
        ("1/2", "½"),
        ("1/2", "0.5"),
        ("1 1/2 in", '1.5"'),
        ("10mm", "10 mm"),
        ("128GB", "128 gb"),
        ("1,50 m", "1.5m"),
        ("10×20 cm", "10 x 20cm"),
        ("children's", "children’s"),
        ("children's", "childrens"),
        ("co\u00adoperate", "cooperate"),
        ("Ｍｕｇ", "mug"),
        ("ｶﾞﾗｽ", "ガラス"),
        ("STRASSE", "straße"),
        ("\u0660\u0661", "01"),
    ],
)
def test_what_is_written_otherwise_is_cut_alike(one: str, other: str) -> None:
    assert cut(one) == cut(other)


def test_in_before_a_number_is_a_little_word() -> None:
    assert cut("2 in 1 laptop") == ["2", "in", "1", "laptop"]


def test_marks_that_make_another_letter_stay_in_their_word() -> None:
    assert cut("हिन्दी किताब") == ["हिन्दी", "किताब"]


def test_a_word_over_64_bytes_is_found_by_its_beginning() -> None:
    assert cut("é" * 60) == ["é" * 32]


def test_a_compound_is_its_parts_where_a_word_list_is_configured() -> None:
    lexicon = Lexicon("german", compounds=("tee", "kanne", "deckel", "arbeit", "handschuh"))
    normalizer = Normalizer(lexicon)
    assert normalizer.parts_of("teekannendeckel") == ("tee", "kanne", "deckel")
    assert normalizer.parts_of("arbeitshandschuh") == ("arbeit", "handschuh")
    assert normalizer.parts_of("teebaum") == ()
    assert Normalizer().parts_of("teekanne") == ()


def test_a_lexicon_is_read_from_files(tmp_path: Path) -> None:
    synonyms, compounds = tmp_path / "synonyms.txt", tmp_path / "compounds.txt"
    synonyms.write_text("sofa, couch # seats\n\nmug => cup\n")
    compounds.write_text("Tee\nKanne\n")
    lexicon = read_lexicon("german", synonyms, compounds)
    assert lexicon.synonyms == (("sofa", "couch"), ("couch", "sofa"), ("mug", "cup"))
    assert lexicon.compounds == ("tee", "kanne")
    assert Lexicon().fingerprint == 0
    assert lexicon.fingerprint != Lexicon("german").fingerprint


@pytest.mark.parametrize("line", ["sofa", "sofa,,couch", "=> cup", "mug =>"])
def test_a_line_of_synonyms_that_says_nothing_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "synonyms.txt"
    path.write_text(f"a, b\n{line}\n")
    with pytest.raises(LexiconError, match="line 2"):
        read_lexicon("english", path, None)


def test_an_unknown_language_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match="klingon"):
        read_lexicon("klingon", None, None)
    with pytest.raises(LexiconError, match="cannot be read"):
        read_lexicon("english", tmp_path / "none.txt", None)


def test_settings_of_a_lexicon_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_SEARCH_LANGUAGE", "klingon")
    with pytest.raises(ValidationError, match="klingon"):
        LexiconSettings()
    monkeypatch.setenv("DAYBOOK_SEARCH_LANGUAGE", "german")
    assert LexiconSettings().lexicon == Lexicon("german")
