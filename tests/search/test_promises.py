"""What search promises of words, whichever store holds the index: a shop, words typed, what is found."""

from __future__ import annotations

from typing import Any

import pytest

from projections.documents.search import Page, ProductQuery
from projections.documents.words.lexicon import Lexicon
from projections.views.search import model_of
from tests.search.conftest import NewShop
from tests.shop.facts import listed
from tests.shop.views import SearchShop, skus


def asked(shop: SearchShop, words: str, **filters: Any) -> Page:
    return shop.reader.search(ProductQuery(words=words, sort="relevance", **filters), limit=100)


def test_chinese_and_japanese_runs_are_found_as_overlapping_pairs(shop: SearchShop) -> None:
    shop.happens(listed("A", "有田焼茶碗セット"), listed("B", "南部鉄器急須"))
    assert shop.finds("茶碗") == ["A"]
    assert shop.finds("急須") == ["B"]
    assert shop.finds("茶") == ["A"]


@pytest.mark.parametrize("typed", ["HX-204", "hx-204", "HX204", "HX-2", "hx 204", "HX-204 kettle", "204"])
def test_a_sku_is_found_whole_in_any_case_without_its_hyphen_begun_and_beside_a_word(
    shop: SearchShop, typed: str
) -> None:
    shop.happens(listed("HX-204", "Steel kettle"), listed("QR-717", "Copper kettle"))
    assert shop.finds(typed) == ["HX-204"]


@pytest.mark.parametrize(
    "typed", ["MUG-RED", "mug-red", "mugred", "MUG RED", "X-Y", "x y", "xy", "q", "THE-A"]
)
def test_a_sku_without_a_digit_is_found_whole_too_and_first(shop: SearchShop, typed: str) -> None:
    shop.happens(
        *(listed(sku, "Thing") for sku in ("MUG-RED", "X-Y", "Q", "THE-A")),
        listed("MUG-ENAMEL-RED", "Enamel mug, red"),
        listed("B", "The box, y"),
    )
    assert shop.finds(typed)[0].replace("-", "").lower() == typed.replace("-", "").replace(" ", "").lower()


def test_a_sku_without_a_digit_is_found_by_its_beginning(shop: SearchShop) -> None:
    shop.happens(listed("MUG-RED", "Thing"), listed("CUP-RED", "Thing"))
    assert shop.finds("MUG-RE") == ["MUG-RED"]


@pytest.mark.parametrize("typed", ["KX-128", "kx128", "kx 128", "KX-128 drill"])
def test_a_model_in_a_title_is_found_like_a_sku(shop: SearchShop, typed: str) -> None:
    shop.happens(listed("A", "Drill KX-128"), listed("B", "Drill KX-300"))
    assert shop.finds(typed)[0] == "A"


@pytest.mark.parametrize(
    ("title", "typed"),
    [
        ('TV 55"', "tv 55 in"),
        ("TV 55 inch", 'tv 55"'),
        ('Bolt 1/2"', "bolt ½ in"),
        ("Hose 10mm", "hose 10 mm"),
        ("Card 128GB", "card 128 gb"),
        ("Card 128 GB", "card 128gb"),
    ],
)
def test_a_unit_is_found_however_it_is_written(shop: SearchShop, title: str, typed: str) -> None:
    shop.happens(listed("A", title), listed("B", title.replace("1", "3").replace("5", "4")))
    assert shop.finds(typed) == ["A"]


@pytest.mark.parametrize(
    ("title", "typed"),
    [
        ("Lunch box", "lunchbox"),
        ("Lunchbox", "lunch box"),
        ("Teapot", "tea pot"),
        ("Tea pot", "teapot"),
        ("T-Shirt", "tshirt"),
        ("T-Shirt", "t shirt"),
        ("Off-the-shoulder top", "offtheshoulder top"),
        ("Children's chair", "childrens chair"),
        ("Children’s chair", "children's chair"),
        ("Childrens chair", "children’s chair"),
    ],
)
def test_neighbours_are_joined_and_words_parted(shop: SearchShop, title: str, typed: str) -> None:
    shop.happens(listed("A", title), listed("B", "Lamp"))
    page = asked(shop, typed)
    assert (skus(page.items), page.relaxed, page.did_you_mean) == (["A"], [], None)


def test_the_exact_form_is_above_the_one_without_accents(shop: SearchShop) -> None:
    shop.happens(listed("A", "Pate dish"), listed("B", "Pâté dish"))
    assert shop.finds("pâté") == ["B", "A"]
    assert shop.finds("pate")[0] == "A"


def test_soft_hyphens_and_long_words_are_found(shop: SearchShop) -> None:
    long = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenhalterung"
    shop.happens(listed("A", "Tea\u00adpot"), listed("B", long))
    assert shop.finds("teapot") == ["A"]
    assert shop.finds(long.upper()) == ["B"]


def test_the_last_word_counts_as_begun_and_ranks_behind_the_word_itself(shop: SearchShop) -> None:
    shop.happens(listed("A", "Red lanterns"), listed("B", "Red lan"), listed("C", "Lantern red"))
    assert shop.finds("red lan")[0] == "B"
    assert sorted(shop.finds("red lan")) == ["A", "B", "C"]
    assert shop.finds("lan red") == ["B"]


def test_a_word_that_nothing_has_falls_away_and_the_answer_says_so(shop: SearchShop) -> None:
    shop.happens(listed("A", "Red mug"), listed("B", "Blue mug"))
    page = asked(shop, "red zyxwvut mug")
    assert (skus(page.items), page.relaxed) == (["A"], ["zyxwvut"])
    assert asked(shop, "red mug").relaxed == []


def test_where_nothing_has_all_words_one_less_is_enough_then_60_percent(shop: SearchShop) -> None:
    shop.happens(listed("A", "Red mug saucer"), listed("B", "Blue plate", category="Plates"))
    page = asked(shop, "red mug plate saucer")
    assert (skus(page.items), page.relaxed) == (["A"], ["plate"])
    page = asked(shop, "red mug saucer blue plate")
    assert (skus(page.items), page.relaxed) == (["A"], ["blue", "plate"])


@pytest.mark.parametrize("sort", ["price_asc", "price_desc", "newest"])
def test_a_sort_puts_slips_behind_exact_matches(shop: SearchShop, sort: str) -> None:
    shop.happens(listed("A", "Lantren", price="1.00"), listed("B", "Lantern", price="2.00"))
    assert shop.finds("lantern") == ["B", "A"]
    assert shop.finds("lantern", sort=sort) == ["B", "A"]
    assert shop.finds("lanten", sort=sort) != []


def test_a_slip_is_forgiven_on_the_unstemmed_word_and_the_answer_asks_what_was_meant(
    shop: SearchShop,
) -> None:
    shop.happens(listed("A", "Christmas tree"), listed("B", "Mug"))
    page = asked(shop, "chirstmas tree")
    assert (skus(page.items), page.did_you_mean) == (["A"], "christmas tree")
    assert asked(shop, "christmas tree").did_you_mean is None


def test_words_found_are_marked_in_the_title_or_the_description(shop: SearchShop) -> None:
    shop.happens(listed("A", 'Café <mugs> & 55" tray', description="x " * 200 + "a Lantern, lit"))
    assert asked(shop, "cafe mug 55 in").highlights == [
        {"title": '<mark>Café</mark> &lt;<mark>mugs</mark>&gt; &amp; <mark>55"</mark> tray'}
    ]
    (marked,) = asked(shop, "lantern").highlights
    assert "a <mark>Lantern</mark>, lit" in marked["description"]
    assert len(marked["description"]) < 200


def test_an_attribute_filters_and_its_facet_leaves_its_own_filter_out(shop: SearchShop) -> None:
    shop.happens(
        listed("A", "Mug", color="red", size="s"),
        listed("B", "Mug", color="blue", size="s"),
        listed("C", "Mug", color="red", size="l"),
    )
    red = (("color", "red"),)
    assert shop.finds("mug", attributes=(*red, ("size", "s"))) == ["A"]
    assert shop.facet("attribute.color", attributes=red) == {"red": 2, "blue": 1}
    assert shop.facet("attribute.size", attributes=red) == {"s": 1, "l": 1}


def test_a_facet_says_when_its_values_were_cut_off(shop: SearchShop) -> None:
    shop.happens(*(listed(f"S{n:03}", "Mug", code=str(n), color="red") for n in range(101)))
    page = shop.reader.search(ProductQuery(), limit=1)
    assert page.facets_cut == ["attribute.code"]
    assert len(page.facets["attribute.code"]) == 100


@pytest.fixture
def german(new_shop: NewShop) -> SearchShop:
    return new_shop(
        Lexicon("german", compounds=("tee", "kanne"), synonyms=(("sofa", "couch"), ("couch", "sofa")))
    )


def test_compounds_synonyms_and_forms_of_the_shops_language_are_found(german: SearchShop) -> None:
    german.happens(
        listed("A", "Teekanne"), listed("B", "Tee Kanne"), listed("C", "Couch"), listed("D", "Häuser")
    )
    assert sorted(german.finds("Teekanne")) == ["A", "B"]
    assert sorted(german.finds("Kannen")) == ["A", "B"]
    assert german.finds("Sofa") == ["C"]
    assert german.finds("Haus") == ["D"]


def test_another_lexicon_is_another_read_model(german: SearchShop) -> None:
    assert model_of(Lexicon()) != model_of(german.build.lexicon)
