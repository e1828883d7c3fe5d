"""The rules in force are what the events say, whichever way they are read, and reading them takes no time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
import pytest

from aggregates.event_types import EVENT_TYPES
from aggregates.pricing.rules import Home, Terms
from aggregates.terms import terms
from aggregates.terms.events import (
    HomeSet,
    MarketDefined,
    MarketRetired,
    PriceListDefined,
    PriceListEnded,
    PromotionDefined,
    PromotionEnded,
    PromotionStarted,
    ShippingMethodDefined,
    ShippingMethodRetired,
    TaxAreaDefined,
    TaxAreaRetired,
    TaxRatesSet,
)
from commands.loop.state_cache import StateCache
from event_store.codec import Codec
from tests.terms import samples

CODEC = Codec(EVENT_TYPES)
HOME = HomeSet(country="US", region="TX", postal_code="78701", vat_numbers={"DE": "DE123456789"})
DEFINED = [
    HOME,
    MarketDefined(market=samples.BRITAIN),
    MarketDefined(market=samples.AMERICA),
    TaxAreaDefined(area=samples.VAT),
    TaxAreaDefined(area=samples.TEXAS),
    PriceListDefined(price_list=samples.TRADE),
    PriceListDefined(price_list=samples.SPRING),
    ShippingMethodDefined(method=samples.POST),
    *(PromotionDefined(promotion=one) for one in [*samples.promotions(), *samples.unusual()]),
]


def fold(events: Iterable[Any]) -> terms.TermsState:
    state: terms.TermsState = terms.stream.fold(terms.initial(), events)
    return state


def stored(event: Any) -> Any:
    """The event once it has been in the log."""
    new = CODEC.encode(terms.MAIN_TERMS, event)
    (event_type,) = (one for one in EVENT_TYPES if one.cls is type(event))
    return msgspec.json.decode(new.data, type=event_type.cls)


def test_all_rules_come_back_from_the_log_as_they_were() -> None:
    assert [stored(event) for event in DEFINED] == DEFINED
    state = fold(map(stored, DEFINED))
    assert state == fold(DEFINED)
    assert state.rules == Terms(
        version=len(DEFINED),
        home=Home(country="US", region="TX", postal_code="78701", vat_numbers={"DE": "DE123456789"}),
        markets={"gb": samples.BRITAIN, "us": samples.AMERICA},
        price_lists={"trade": samples.TRADE, "spring": samples.SPRING},
        promotions={one.promotion_id: one for one in [*samples.promotions(), *samples.unusual()]},
        tax_areas={"gb": samples.VAT, "tx": samples.TEXAS},
        shipping_methods={"post": samples.POST},
    )
    assert len(state.rules.promotions) == 208


def test_a_snapshot_holds_all_of_it() -> None:
    ended = [
        PromotionStarted(promotion_id="free"),
        PromotionEnded(promotion_id="gift", reason="out of gifts"),
    ]
    state = fold([*DEFINED, *ended, PriceListEnded(list_id="spring")])
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=terms.TermsState)
    assert read == state
    assert (read.started, read.retired.promotions, read.retired.price_lists) == (
        {"free"},
        {"gift"},
        {"spring"},
    )


def test_the_version_of_the_rules_is_that_of_their_stream() -> None:
    cache = StateCache(CODEC)
    cache.load(terms.MAIN_TERMS, [])
    assert cache.state(terms.MAIN_TERMS).rules.version == 0
    for n, event in enumerate(DEFINED, start=1):
        cache.evolve(terms.MAIN_TERMS, event, writer=UUID(int=n), index=0)
        kept = cache.get(terms.MAIN_TERMS)
        assert kept is not None
        assert kept.version == kept.state.rules.version == n


def test_what_is_defined_again_replaces_the_rule() -> None:
    other = samples.ten_percent("sums", label="Another")
    rates = samples.VAT.rates[:1]
    state = fold(
        [*DEFINED, PromotionDefined(promotion=other), TaxRatesSet(area_id="gb", rates=rates)],
    )
    assert state.rules.promotions["sums"] == other
    assert state.rules.tax_areas["gb"].rates == rates
    assert state.rules.tax_areas["gb"].country == "GB"


@pytest.mark.parametrize(
    ("event", "kind", "rule_id", "again"),
    [
        (MarketRetired(market_id="gb"), "markets", "gb", MarketDefined(market=samples.BRITAIN)),
        (PromotionEnded(promotion_id="gift", reason="-"), "promotions", "gift", DEFINED[-4]),
        (TaxAreaRetired(area_id="gb"), "tax_areas", "gb", TaxAreaDefined(area=samples.VAT)),
        (
            ShippingMethodRetired(method_id="post"),
            "shipping_methods",
            "post",
            ShippingMethodDefined(method=samples.POST),
        ),
        (PriceListEnded(list_id="spring"), "price_lists", "spring", None),
    ],
)
def test_what_is_retired_holds_no_more_until_it_is_defined_again(
    event: Any, kind: str, rule_id: str, again: Any
) -> None:
    state = fold([*DEFINED, event])
    assert rule_id not in getattr(state.rules, kind)
    assert rule_id in getattr(state.retired, kind)
    if again is not None:
        state = terms.evolve(state, again)
        assert rule_id in getattr(state.rules, kind)
        assert rule_id not in getattr(state.retired, kind)


def test_a_promotion_is_started_until_it_ends_or_is_another() -> None:
    started = fold([*DEFINED, PromotionStarted(promotion_id="free")])
    assert started.started == {"free"}
    free = PromotionDefined(promotion=samples.ten_percent("free", starts_at=samples.JUNE))
    assert terms.evolve(started, free).started == set()
    ended = fold(
        [*DEFINED, PromotionStarted(promotion_id="free"), PromotionEnded(promotion_id="free", reason="-")]
    )
    assert ended.started == set()


def test_the_rules_are_compiled_once_for_each_version() -> None:
    state = fold(DEFINED)
    compiled = state.compiled
    assert state.compiled is compiled
    assert compiled.version == len(DEFINED)
    terms.evolve(state, PromotionEnded(promotion_id="gift", reason="-"))
    assert state.compiled.version == len(DEFINED) + 1
    assert state == fold([*DEFINED, PromotionEnded(promotion_id="gift", reason="-")])
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=terms.TermsState)
    assert read == state
    assert read.compiled.version == state.compiled.version


def test_200_promotions_are_folded_in_milliseconds_and_a_change_in_less_than_one() -> None:
    new = [CODEC.encode(terms.MAIN_TERMS, event) for event in DEFINED]
    decoder = msgspec.json.Decoder(PromotionDefined)
    data = [one.data for one in new if one.type == "terms.promotion_defined"]
    times = []
    for _ in range(5):
        begun = time.process_time()
        fold([decoder.decode(one) for one in data])
        times.append(time.process_time() - begun)
    assert min(times) < 0.05  # about 3 ms
    state = fold(DEFINED)
    begun = time.process_time()
    for _ in range(100):
        terms.evolve(state, DEFINED[-1])
    assert (time.process_time() - begun) / 100 < 0.001
