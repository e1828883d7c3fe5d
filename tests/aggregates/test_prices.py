"""The rules of a product's prices: on lists, in windows, by schedules."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from aggregates.catalog.events import (
    PriceChanged,
    PriceScheduleCanceled,
    PriceScheduled,
    PriceWithdrawn,
    ProductDelisted,
)
from aggregates.catalog.prices import (
    SCHEDULES_MAX,
    PriceScheduleOverlap,
    PriceUnfit,
    TooManyPriceSchedules,
    UnknownPriceSchedule,
    Window,
    cancel_schedule,
    change_price,
    end_schedule,
    leave_list,
    set_price,
    start_schedule,
    window_of,
)
from aggregates.catalog.product import evolve, initial, list_product
from aggregates.kernel import ProductNotOnSale, Rejected, UnknownProduct
from aggregates.pricing.rules import BASE, PriceList
from tests.aggregates.given import given
from tests.aggregates.test_catalog import LISTED
from tests.shop.facts import NOON

SPRING = PriceList(list_id="spring", currency="GBP", kind="sale")
BASE_LIST = PriceList(list_id=BASE, currency="GBP")
HOUR = timedelta(hours=1)
EIGHT, SEVEN = ((1, Decimal("8")),), ((1, Decimal("7")), (10, Decimal("6.50")))
FROM_1_TO_2 = PriceScheduled(
    schedule_id="a",
    sku="MUG",
    list=SPRING,
    currency="GBP",
    tiers=EIGHT,
    starts_at=NOON + HOUR,
    ends_at=NOON + 2 * HOUR,
)
STARTED = PriceChanged(sku="MUG", list=SPRING, currency="GBP", tiers=EIGHT, schedule_id="a")
ENDED = PriceWithdrawn(sku="MUG", list_id="spring", currency="GBP", schedule_id="a")
CANCELED = PriceScheduleCanceled(sku="MUG", schedule_id="a")
OTHER = PriceChanged(sku="MUG", list=SPRING, currency="GBP", tiers=SEVEN)


def setting(window, schedule_id="a", **changed):
    return {
        "sku": "MUG",
        "price_list": SPRING,
        "tiers": EIGHT,
        "window": window,
        "schedule_id": schedule_id,
        "now": NOON,
    } | changed


def test_a_price_that_has_begun_and_is_for_good_is_changed_without_a_schedule():
    given(LISTED).when(set_price, **setting(Window(NOON))).then_once(replace(STARTED, schedule_id=None))


def test_a_price_of_later_is_scheduled_once():
    window = Window(NOON + HOUR, NOON + 2 * HOUR)
    given(LISTED).when(set_price, **setting(window)).then_once(FROM_1_TO_2)


def test_a_price_that_has_begun_and_ends_holds_at_once():
    scheduled = replace(FROM_1_TO_2, starts_at=NOON)
    window = Window(NOON, NOON + 2 * HOUR)
    given(LISTED).when(set_price, **setting(window)).then_once(scheduled, STARTED)


def test_a_schedule_starts_once_and_ends_once():
    given(LISTED, FROM_1_TO_2).when(start_schedule, schedule_id="a", now=NOON + HOUR).then_once(STARTED)
    given(LISTED, FROM_1_TO_2, STARTED).when(end_schedule, schedule_id="a", now=NOON + 2 * HOUR).then_once(
        ENDED
    )
    given(LISTED, FROM_1_TO_2, STARTED, ENDED).when(
        start_schedule, schedule_id="a", now=NOON + HOUR
    ).then_nothing()


def test_a_schedule_for_good_is_over_once_it_has_started():
    for_good = replace(FROM_1_TO_2, ends_at=None)
    given(LISTED, for_good).when(start_schedule, schedule_id="a", now=NOON + HOUR).then_once(STARTED)
    given(LISTED, for_good, STARTED, OTHER).when(
        start_schedule, schedule_id="a", now=NOON + HOUR
    ).then_nothing()
    given(LISTED, for_good, STARTED).when(end_schedule, schedule_id="a", now=NOON + 2 * HOUR).then_nothing()


@pytest.mark.parametrize("later", [OTHER, replace(OTHER, tiers=EIGHT)], ids=["another", "the same"])
def test_a_price_set_while_a_schedule_runs_stays_when_that_ends(later):
    given(LISTED, FROM_1_TO_2, STARTED).when(
        change_price, sku="MUG", price_list=SPRING, tiers=later.tiers
    ).then_once(later)
    given(LISTED, FROM_1_TO_2, STARTED, later).when(
        end_schedule, schedule_id="a", now=NOON + 2 * HOUR
    ).then_once(CANCELED)


def test_a_schedule_is_canceled_before_it_starts_and_ended_while_it_runs():
    given(LISTED, FROM_1_TO_2).when(cancel_schedule, sku="MUG", schedule_id="a").then(CANCELED)
    given(LISTED, FROM_1_TO_2, CANCELED).when(start_schedule, schedule_id="a", now=NOON + HOUR).then_nothing()
    given(LISTED, FROM_1_TO_2, STARTED).when(cancel_schedule, sku="MUG", schedule_id="a").then(ENDED)


def test_what_waits_no_more_is_no_schedule():
    unknown = UnknownPriceSchedule("MUG", "a")
    for events in ((LISTED,), (LISTED, FROM_1_TO_2, CANCELED), (LISTED, FROM_1_TO_2, STARTED, ENDED)):
        given(*events).when(cancel_schedule, sku="MUG", schedule_id="a").then_rejected(unknown)
    given().when(cancel_schedule, sku="MUG", schedule_id="a").then_rejected(UnknownProduct("MUG"))


def test_two_windows_of_one_list_do_not_overlap_and_those_of_others_may():
    touching = Window(NOON + 2 * HOUR, NOON + 3 * HOUR)
    inside = Window(NOON + HOUR, NOON + HOUR * 1.5)
    scheduled = replace(FROM_1_TO_2, schedule_id="b", starts_at=touching.starts_at, ends_at=touching.ends_at)
    given(LISTED, FROM_1_TO_2).when(set_price, **setting(touching, "b")).then(scheduled)
    given(LISTED, FROM_1_TO_2).when(set_price, **setting(inside, "b")).then_rejected(
        PriceScheduleOverlap("MUG", "spring", "a")
    )
    trade = replace(SPRING, list_id="trade")
    given(LISTED, FROM_1_TO_2).when(set_price, **setting(inside, "b", price_list=trade)).then(
        replace(FROM_1_TO_2, schedule_id="b", list=trade, starts_at=inside.starts_at, ends_at=inside.ends_at)
    )


def test_a_product_has_so_many_schedules_and_no_more():
    many = [
        replace(FROM_1_TO_2, schedule_id=str(n), starts_at=NOON + n * HOUR, ends_at=None)
        for n in range(1, SCHEDULES_MAX + 1)
    ]
    given(LISTED, *many).when(set_price, **setting(Window(NOON + HOUR))).then_rejected(
        TooManyPriceSchedules("MUG", SCHEDULES_MAX)
    )


def test_only_what_is_on_sale_gets_a_price():
    window = Window(NOON + HOUR)
    given().when(set_price, **setting(window)).then_rejected(UnknownProduct("MUG"))
    given(LISTED, ProductDelisted(sku="MUG", reason="")).when(set_price, **setting(window)).then_rejected(
        ProductNotOnSale("MUG")
    )


def test_a_product_leaves_a_list_once_with_its_price_and_all_that_is_scheduled_there():
    withdrawn = PriceWithdrawn(sku="MUG", list_id="spring", currency="GBP")
    leaving = {"sku": "MUG", "list_id": "spring"}
    given(LISTED, OTHER).when(leave_list, **leaving).then_once(withdrawn)
    given(LISTED, FROM_1_TO_2).when(leave_list, **leaving).then_once(CANCELED)
    given(LISTED, FROM_1_TO_2, STARTED).when(leave_list, **leaving).then_once(ENDED)
    given(LISTED, FROM_1_TO_2, STARTED, OTHER).when(leave_list, **leaving).then_once(withdrawn, CANCELED)
    given(LISTED, FROM_1_TO_2, STARTED).when(leave_list, sku="MUG", list_id="trade").then_nothing()


def test_a_listing_whose_price_has_no_tax_in_it_says_so():
    net = replace(BASE_LIST, tax_included=False)
    tiers = ((1, LISTED.price.exact),)
    given().when(list_product, listed=LISTED, tax_included=False).then_once(
        LISTED, PriceChanged(sku="MUG", list=net, currency="GBP", tiers=tiers)
    )


def test_a_listing_anew_replaces_the_base_price_and_no_other():
    product = initial()
    again = replace(LISTED, title="Cup")
    for event in (LISTED, OTHER, ProductDelisted(sku="MUG", reason=""), again):
        product = evolve(product, event)
    assert sorted(product.prices) == ["base GBP", "spring GBP"]


@pytest.mark.parametrize(
    ("own", "of_the_list", "expected"),
    [
        ((None, None), (None, None), Window(NOON)),
        ((None, None), (1, 4), Window(NOON + HOUR, NOON + 4 * HOUR)),
        ((2, 3), (1, 4), Window(NOON + 2 * HOUR, NOON + 3 * HOUR)),
        ((0, 9), (1, 4), Window(NOON + HOUR, NOON + 4 * HOUR)),
        ((None, 2), (-3, None), Window(NOON - 3 * HOUR, NOON + 2 * HOUR)),
    ],
)
def test_a_price_holds_in_its_window_and_the_lists(own, of_the_list, expected):
    starts_at, ends_at, from_, until = (None if n is None else NOON + n * HOUR for n in own + of_the_list)
    price_list = replace(SPRING, starts_at=from_, ends_at=until)
    assert window_of(price_list, starts_at=starts_at, ends_at=ends_at, now=NOON) == expected


@pytest.mark.parametrize(
    ("price_list", "starts", "ends", "why"),
    [
        (SPRING, None, -1, "is over"),
        (SPRING, 2, 2, "is not after starts_at"),
        (replace(SPRING, ends_at=NOON), None, None, "of the price list is over"),
        (replace(SPRING, ends_at=NOON + HOUR), 1, None, "of the price list is not after starts_at"),
        (BASE_LIST, None, 2, "is for other lists: a product always has its base price"),
    ],
)
def test_a_window_that_never_opens_is_refused(price_list, starts, ends, why):
    starts_at, ends_at = (None if n is None else NOON + n * HOUR for n in (starts, ends))
    with pytest.raises(Rejected) as refused:
        window_of(price_list, starts_at=starts_at, ends_at=ends_at, now=NOON)
    assert refused.value.reason == PriceUnfit("ends_at", why)
