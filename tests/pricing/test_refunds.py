"""What goes back: never more than was paid, and in the end exactly that, with exactly its tax."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregates.pricing.refunds import (
    OverTenderError,
    Refundable,
    RefundShare,
    Tender,
    by_tender,
    refund_amount,
    refund_rest,
    refund_units,
    share_tax,
)

Sale = tuple[Refundable, ...]


def after(sale: Sale, shares: tuple[RefundShare, ...]) -> Sale:
    by_target = {share.target: share for share in shares}
    return tuple(one.after(by_target[one.target]) if one.target in by_target else one for one in sale)


def one_by_one(sale: Sale, target: str) -> list[tuple[int, int]]:
    """Amount and tax of each unit, refunded by itself."""
    found = []
    while next(one for one in sale if one.target == target).units_left:
        (share,) = shares = refund_units(sale, {target: 1})
        found.append((share.amount, share.tax))
        sale = after(sale, shares)
    return found


# -- the cases of the page --


def test_case_9_units_of_a_discounted_line() -> None:
    sale = (Refundable("a", paid=3996, tax=0, quantity=5),)
    assert [amount for amount, _ in one_by_one(sale, "a")] == [799, 799, 800, 799, 799]


def test_case_22_units_in_yen() -> None:
    sale = (Refundable("a", paid=849, tax=63, quantity=3), Refundable("b", paid=1216, tax=111))
    assert one_by_one(sale, "a") == [(283, 21)] * 3


CASE_23 = (Refundable("a", paid=10799, tax=1800, quantity=3), Refundable("b", paid=1, tax=0))


def test_case_23_unit_by_unit() -> None:
    assert one_by_one(CASE_23, "a") == [(3600, 600), (3599, 600), (3600, 600)]


def test_case_23_money_first_and_then_unit_by_unit() -> None:
    shares = refund_amount(CASE_23, 500)
    assert shares == (RefundShare("a", units=0, amount=500, tax=83),)
    assert one_by_one(after(CASE_23, shares), "a") == [(3600, 600), (3599, 600), (3100, 517)]


def test_case_24_the_card_gets_back_what_it_gave_and_the_gift_card_the_rest() -> None:
    tenders = [Tender("gift", 3000), Tender("card", 7000)]
    found = []
    for amount in (5000, 4000, 1000):
        parts = by_tender(amount, tenders)
        found.append(parts)
        tenders = [Tender(one.tender, one.amount, one.refunded + parts.get(one.tender, 0)) for one in tenders]
    assert found == [{"card": 5000}, {"card": 2000, "gift": 2000}, {"gift": 1000}]


# -- by share --


def test_units_of_several_lines_in_the_order_of_the_sale() -> None:
    sale = (Refundable("a", 100, 20, 3), Refundable("b", 50, 0, 2), Refundable("shipping", 7, 1))
    assert refund_units(sale, {"shipping": 1, "a": 2}) == (
        RefundShare("a", units=2, amount=67, tax=13),
        RefundShare("shipping", units=1, amount=7, tax=1),
    )


def test_an_amount_with_units_is_shared_by_their_worth() -> None:
    sale = (Refundable("a", 100, 20, 4), Refundable("b", 50, 10), Refundable("c", 999, 0))
    assert refund_amount(sale, 40, {"a": 2, "b": 1}) == (
        RefundShare("a", units=2, amount=20, tax=4),
        RefundShare("b", units=1, amount=20, tax=4),
    )


def test_units_may_go_back_for_nothing() -> None:
    sale = (Refundable("a", 100, 20, 4), Refundable("gift", 0, 0))
    assert refund_amount(sale, 0, {"a": 1}) == (RefundShare("a", units=1, amount=0, tax=0),)
    assert refund_units(sale, {"gift": 1}) == (RefundShare("gift", units=1, amount=0, tax=0),)


def test_an_amount_alone_is_shared_by_what_is_left_and_brings_no_units_back() -> None:
    sale = (
        Refundable("a", 100, 20, refunded=40),
        Refundable("b", 60, 10),
        Refundable("c", 10, 0, refunded=10),
    )
    assert refund_amount(sale, 30) == (
        RefundShare("a", units=0, amount=15, tax=3),
        RefundShare("b", units=0, amount=15, tax=2),
    )


def test_units_of_what_was_paid_back_already_are_worth_nothing() -> None:
    for refunded in (100, 120):  # orders of before knew no limit for one line
        assert Refundable("a", 100, 20, 2, refunded=refunded).worth(1) == 0


def test_the_rest_is_every_unit_and_all_that_is_left() -> None:
    sale = (
        Refundable("a", 100, 20, 4, units_refunded=1, refunded=50),
        Refundable("b", 60, 10, 2, units_refunded=2, refunded=59),
        Refundable("c", 10, 2, refunded=10, units_refunded=1),
    )
    assert refund_rest(sale) == (
        RefundShare("a", units=3, amount=50, tax=10),
        RefundShare("b", units=0, amount=1, tax=0),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda sale: refund_units(sale, {"a": 3}),
        lambda sale: refund_units(sale, {"a": -1}),
        lambda sale: refund_units(sale, {"x": 1}),
        lambda sale: refund_amount(sale, 151),
        lambda sale: refund_amount(sale, -1),
        lambda sale: refund_amount(sale, 51, {"a": 1}),
        lambda sale: sale[0].tax_in(101),
        lambda sale: share_tax(31, {"GB/food": 10, "GB/standard": 20}),
    ],
)
def test_more_than_is_left_is_refused(wrong: object) -> None:
    sale = (Refundable("a", 100, 20, 2), Refundable("b", 50, 10))
    with pytest.raises(ValueError, match=r" of |unknown"):
        wrong(sale)  # type: ignore[operator]


def test_tax_of_several_groups_goes_back_to_each_of_them() -> None:
    assert share_tax(45, {"DE/books": 14, "DE/standard": 76}) == {"DE/books": 7, "DE/standard": 38}
    assert share_tax(90, {"DE/books": 14, "DE/standard": 76}) == {"DE/books": 14, "DE/standard": 76}
    assert share_tax(0, {"DE/books": 0}) == {}


# -- by tender --

THREE = (Tender("gift", 1000), Tender("store", 2000, refunded=500), Tender("card", 4000))


def test_the_operator_names_tenders_and_the_rest_goes_as_ever() -> None:
    assert by_tender(3000, THREE, {"gift": 1000}) == {"card": 2000, "gift": 1000}
    assert by_tender(3000, THREE, {"gift": 1000, "store": 1500}) == {"card": 500, "store": 1500, "gift": 1000}
    assert by_tender(5000, THREE, {"card": 100}) == {"card": 4000, "store": 1000}
    assert by_tender(4000, THREE, {"card": 2000}) == {"card": 4000}
    assert by_tender(0, THREE) == {}


@pytest.mark.parametrize(("tender", "remaining"), [("store", 1500), ("cash", 0)])
def test_no_tender_gets_back_more_than_it_gave(tender: str, remaining: int) -> None:
    with pytest.raises(OverTenderError) as refused:
        by_tender(1501, THREE, {tender: 1501})
    assert (refused.value.tender, refused.value.requested, refused.value.remaining) == (
        tender,
        1501,
        remaining,
    )


def test_nothing_goes_back_to_a_tender_that_gave_nothing() -> None:
    with pytest.raises(OverTenderError) as refused:
        by_tender(1, THREE, {"cash": 1})
    assert (refused.value.requested, refused.value.remaining) == (1, 0)


@pytest.mark.parametrize(("amount", "to"), [(6501, {}), (100, {"card": 101}), (100, {"card": -1})])
def test_more_than_all_tenders_gave_or_than_the_amount_is_refused(amount: int, to: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="named"):
        by_tender(amount, THREE, to)


# -- law 5 --


@st.composite
def sales(draw: st.DrawFn) -> Sale:
    """What a calculation leaves behind: the tax of a target is not above what is paid for it."""
    found = []
    for number in range(draw(st.integers(1, 5))):
        paid = draw(st.one_of(st.integers(0, 12), st.integers(0, 100_000)))
        tax = draw(st.integers(0, paid))
        found.append(Refundable(f"{number}", paid, tax, draw(st.integers(1, 7))))
    return tuple(found)


@settings(deadline=None)
@given(sales(), st.data())
def test_money_back_never_exceeds_what_was_paid_and_a_full_refund_is_exactly_that(
    sale: Sale, data: st.DataObject
) -> None:
    """Units, amounts, and both, in any order; then the rest."""
    total = sum(one.paid for one in sale)
    gift = data.draw(st.integers(0, total))
    tenders = [Tender("gift", gift), Tender("card", total - gift)]
    tax_back = dict.fromkeys((one.target for one in sale), 0)
    for how in [*data.draw(st.lists(st.sampled_from(["units", "amount", "both"]), max_size=6)), "rest"]:
        units = {
            one.target: data.draw(st.integers(0, one.units_left)) for one in sale if data.draw(st.booleans())
        }
        if how == "rest":
            shares = refund_rest(sale)
        elif how == "units":
            shares = refund_units(sale, units)
        else:
            worth = sum(one.worth(units.get(one.target, 0)) for one in sale)
            most = worth if how == "both" and units else sum(one.left for one in sale)
            shares = refund_amount(sale, data.draw(st.integers(0, most)), units if how == "both" else None)
        assert all(0 <= share.tax <= share.amount for share in shares)
        before, sale = sale, after(sale, shares)
        for was, one in zip(before, sale, strict=True):
            assert was.refunded <= one.refunded <= one.paid
            assert was.tax_refunded <= one.tax_refunded <= one.tax
            assert one.units_refunded <= one.quantity
        for share in shares:
            tax_back[share.target] += share.tax
        parts = by_tender(sum(share.amount for share in shares), tenders)
        tenders = [Tender(one.tender, one.amount, one.refunded + parts.get(one.tender, 0)) for one in tenders]
        assert all(0 <= one.refunded <= one.amount for one in tenders)
        assert tenders[0].refunded == 0 or tenders[1].left == 0
    assert [(one.left, one.units_left) for one in sale] == [(0, 0)] * len(sale)
    assert tax_back == {one.target: one.tax for one in sale}
    assert [one.left for one in tenders] == [0, 0]


@settings(deadline=None)
@given(sales(), st.randoms(use_true_random=False))
def test_the_order_in_which_units_go_back_changes_no_sum(sale: Sale, random: object) -> None:
    units = [one.target for one in sale for _ in range(one.quantity)]
    random.shuffle(units)  # type: ignore[attr-defined]
    back = dict.fromkeys(units, (0, 0))
    for target in units:
        (share,) = shares = refund_units(sale, {target: 1})
        back[target] = (back[target][0] + share.amount, back[target][1] + share.tax)
        sale = after(sale, shares)
    assert back == {one.target: (one.paid, one.tax) for one in sale}


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 500), min_size=1), st.data())
def test_each_group_gets_back_exactly_its_tax(groups: dict[str, int], data: st.DataObject) -> None:
    left = dict(groups)
    while any(left.values()):
        parts = share_tax(data.draw(st.integers(1, sum(left.values()))), left)
        left = {group: tax - parts.get(group, 0) for group, tax in left.items()}
        assert all(tax >= 0 for tax in left.values())
