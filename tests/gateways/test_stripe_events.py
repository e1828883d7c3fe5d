"""Stripe's news: who signed them, and what of their objects is read."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import re
from datetime import UTC, datetime, timedelta
from itertools import permutations
from types import SimpleNamespace

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from aggregates.kernel import Money
from aggregates.payments.standing import DisputeMove, RefundStanding, Standing, join
from commands.gateways import stripe_events
from commands.gateways.gateway import NewsRejected
from commands.gateways.stripe_amounts import chargeable, from_stripe, to_stripe
from commands.gateways.stripe_events import API_VERSION, news_of, read_news
from commands.gateways.stripe_objects import (
    standing_of_charge,
    standing_of_dispute,
    standing_of_intent,
    standing_of_refund,
    with_part,
)
from commands.gateways.stripe_signature import sign, verify
from tests.gateways.stripe_objects import (
    CHARGE,
    CREATED,
    DISPUTE,
    INTENT,
    ORDER,
    PERSONAL,
    REFUND,
    STEP,
    charge,
    dispute,
    event,
    intent,
    refund,
    thin,
    transaction,
)

NOW = datetime.fromtimestamp(CREATED, UTC)
SECRET, OTHER = "whsec_one", "whsec_two"
LAPSES = NOW + timedelta(days=7)


def standing(**parts):
    return Standing(**{"reference": INTENT, "currency": "EUR", "order_id": ORDER, "step": STEP} | parts)


def read(one, **ours):
    return news_of(one, **{"livemode": False, "api_version": API_VERSION} | ours)


# The signature


def test_what_was_signed_with_either_secret_is_accepted():
    for secret in (SECRET, OTHER):
        verify(b"{}", sign(b"{}", secret, NOW), [SECRET, OTHER], NOW)


def test_one_good_signature_among_several_is_enough():
    header = sign(b"{}", SECRET, NOW)
    verify(b"{}", f"{header.replace('v1=', 'v1=' + 'f' * 64 + ',v1=')},v0=abc", [SECRET], NOW)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (sign(b"{}", OTHER, NOW), "signature_mismatch"),
        (sign(b"{ }", SECRET, NOW), "signature_mismatch"),
        (sign(b"{}", SECRET, NOW).upper().replace("T=", "t=").replace("V1", "v1"), "signature_mismatch"),
        (sign(b"{}", SECRET, NOW - timedelta(seconds=301)), "signature_too_old"),
        (sign(b"{}", SECRET, NOW).replace(",", ", "), "signature_malformed"),
        (sign(b"{}", SECRET, NOW).replace("t=", "t=+"), "signature_malformed"),
        (sign(b"{}", SECRET, NOW).replace("t=1", "t=1_"), "signature_malformed"),
        (sign(b"{}", SECRET, NOW).replace("t=1", "t=١"), "signature_malformed"),
        (f"t={CREATED},v1=é", "signature_mismatch"),
        (f"t={CREATED},v1=\udcff", "signature_mismatch"),
        (f"t={'9' * 5000},v1=a", "signature_malformed"),
        ("t,v1=a", "signature_malformed"),
        ("t=1,v1", "signature_malformed"),
        ("", "signature_malformed"),
    ],
)
def test_every_other_header_is_rejected(header, code):
    with pytest.raises(NewsRejected, match=f"^{code}$"):
        verify(b"{}", header, [SECRET], NOW)


def test_no_secret_and_an_empty_one_accept_nothing():
    for secrets in ([], [""], [" "]):
        with pytest.raises(NewsRejected):
            verify(b"{}", sign(b"{}", "", NOW), secrets, NOW)


def test_the_age_is_300_seconds_at_most():
    header = sign(b"{}", SECRET, NOW)
    verify(b"{}", header, [SECRET], NOW + timedelta(seconds=300))
    with pytest.raises(NewsRejected):
        verify(b"{}", header, [SECRET], NOW + timedelta(seconds=300, microseconds=1))


def test_bytes_that_are_no_text_are_signed_like_any_other():
    body = b"\xff\x00{"
    verify(body, sign(body, SECRET, NOW), [SECRET], NOW)
    with pytest.raises(NewsRejected, match=r"^json$"):
        read_news(
            body, sign(body, SECRET, NOW), NOW, secrets=[SECRET], livemode=False, api_version=API_VERSION
        )


_ALPHABET = "t=v1,0123456789abcdefABCDEF+-_ .;\té١"


def _altered(chance, header):
    """The header with one to three characters or parts changed."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(header) + 1)
        match chance.randrange(7):
            case 0:
                header = header[:at] + header[at + 1 :]
            case 1:
                header = header[:at] + chance.choice(_ALPHABET) + header[at:]
            case 2:
                header = header[:at] + chance.choice(_ALPHABET) + header[at + 1 :]
            case 3:
                header = header[:at]
            case 4:
                header = ",".join(chance.sample(header.split(","), len(header.split(","))))
            case 5:
                header += f",{chance.choice(['v1', 'v0', 't', 'x'])}={chance.choice(['', '0', 'a' * 64])}"
            case 6:
                header = header.replace("=", chance.choice(["=", "==", "= ", "=0"]), 1)
    return header


def _sdk_says(body, header):
    try:
        stripe.WebhookSignature.verify_header(body, header, SECRET, 300)
    except stripe.SignatureVerificationError:
        return False
    return True


def test_20_000_altered_signatures_are_judged_as_the_sdk_judges_them(monkeypatch):
    """But where the SDK raises something else, or reads a time that is not written in plain digits."""
    monkeypatch.setattr("stripe._webhook.time", SimpleNamespace(time=lambda: float(CREATED)))
    chance = random.Random(20_000)
    accepted = raised = lax = 0
    for _ in range(20_000):
        body = json.dumps({"n": chance.randrange(1000)}).encode()
        age = chance.choice([0, 1, 299, 300, 301, 100_000, -60])
        header = sign(body, SECRET, NOW - timedelta(seconds=age))
        if chance.random() < 0.9:
            header = _altered(chance, header)
        if chance.random() < 0.1:
            at = chance.randrange(len(body))
            body = body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
        try:
            verify(body, header, [SECRET], NOW)
            ours = True
        except NewsRejected:
            ours = False
        try:
            theirs = _sdk_says(body, header)
        except (TypeError, UnicodeError):
            raised += 1
            continue
        if theirs and not ours:
            time = next(part[2:] for part in header.split(",") if part.startswith("t="))
            assert re.fullmatch(r"[0-9]+", time, re.ASCII) is None, header
            lax += 1
        else:
            assert ours is theirs, header
        accepted += ours
    assert accepted > 1000
    assert raised > 100
    assert lax < 400


# Objects


def test_an_intent_tells_what_is_held_and_what_was_taken():
    assert standing_of_intent(intent()) == standing(authorized=1299)
    assert standing_of_intent(intent("succeeded")) == standing(
        authorized=1299, captured=1299, closed="captured"
    )
    partly = intent(amount_capturable=799, amount_received=500)
    assert standing_of_intent(partly) == standing(authorized=1299, captured=500)


def test_an_expanded_charge_tells_when_the_hold_lapses_and_what_was_held_before_it_was_given_up():
    multi = charge()
    multi["payment_method_details"]["card"]["multicapture"]["status"] = "available"
    given_up = intent("canceled", cancellation_reason="expired", latest_charge=multi)
    assert standing_of_intent(given_up) == standing(
        authorized=1299, closed="lapsed", capture_before=LAPSES, in_parts=True
    )


@pytest.mark.parametrize(
    ("reason", "closed"),
    [
        ("expired", "lapsed"),
        ("requested_by_customer", "canceled"),
        ("automatic", "canceled"),
        (None, "canceled"),
    ],
)
def test_a_canceled_intent_says_why(reason, closed):
    assert standing_of_intent(intent("canceled", cancellation_reason=reason)) == standing(closed=closed)


def test_a_failed_attempt_gives_its_code_and_leaves_the_intent_open():
    error = {"code": "card_declined", "decline_code": "do_not_honor", "message": PERSONAL[1]}
    failed = standing_of_intent(intent("requires_payment_method", last_payment_error=error))
    assert failed == standing(failed="card_declined")
    assert failed.open
    odd = intent("requires_payment_method", last_payment_error={"code": PERSONAL[1]})
    assert standing_of_intent(odd) == standing(failed="failed")
    assert standing_of_intent(intent("requires_payment_method")) == standing()


def test_an_intent_that_waits_for_the_shopper_is_acting():
    assert standing_of_intent(intent("requires_action")) == standing(acting=True)
    assert standing_of_intent(intent("processing")) == standing()


def test_a_charge_tells_amounts_failures_and_the_time_left():
    assert standing_of_charge(charge(amount_captured=500)) == standing(
        authorized=1299, captured=500, capture_before=LAPSES
    )
    failed = charge("failed", failure_code="expired_card", payment_method_details=None)
    assert standing_of_charge(failed) == standing(failed="expired_card")
    assert standing_of_charge(charge("pending", payment_method_details=None)) == standing()


@pytest.mark.parametrize(
    ("status", "state"),
    [(one, one) for one in ("pending", "requires_action", "succeeded", "failed", "canceled")]
    + [(None, "pending"), ("a_new_one", "pending")],
)
def test_a_refund_tells_its_state_and_who_made_it(status, state):
    assert standing_of_refund(refund(status)) == Standing(
        reference=INTENT,
        currency="EUR",
        order_id=ORDER,
        refunds=(
            RefundStanding(
                reference=REFUND,
                amount=500,
                state=state,
                credit_note_id="c" * 32,
                step=f"checkout-{ORDER}/4",
            ),
        ),
    )


def test_a_refund_made_elsewhere_names_no_step():
    for metadata in ({}, None, {"credit_note": "c"}, {"step": PERSONAL[1], "credit_note": PERSONAL[1]}):
        (made,) = standing_of_refund(refund(metadata=metadata)).refunds
        assert (made.step, made.credit_note_id) == (None, None)


def test_a_dispute_moves_what_its_transactions_move_whatever_its_status():
    out, back = transaction("txn_1", -1299, 1500), transaction("txn_2", 1299)
    assert standing_of_dispute(dispute(status="lost")).moves == ()
    assert standing_of_dispute(dispute(out, back, status="lost")).moves == (
        DisputeMove(transaction="txn_1", dispute=DISPUTE, amount=-1299, fee=1500),
        DisputeMove(transaction="txn_2", dispute=DISPUTE, amount=1299),
    )


def test_a_dispute_settled_in_another_currency_is_told_in_the_payments_own():
    abroad = dispute(transaction("txn_1", -1450, 1500, "usd"), transaction("txn_2", 1440, 0, "usd"))
    assert [(move.amount, move.fee) for move in standing_of_dispute(abroad).moves] == [(-1299, 0), (1299, 0)]


def test_a_part_in_another_currency_leaves_the_payment_as_it_is_known():
    known = standing(authorized=1299)
    disputed = standing_of_dispute(dispute(transaction("txn_1", -999, currency="usd"), currency="usd"))
    assert disputed.currency == "USD"
    assert with_part(known, disputed) == known
    assert with_part(known, standing(captured=1299)) == standing(authorized=1299, captured=1299)


def test_metadata_counts_only_where_order_and_step_agree():
    for metadata in (
        None,
        {},
        {"order": ORDER},
        {"order": "other", "step": STEP},
        {"order": ORDER, "step": "x"},
    ):
        read_standing = standing_of_intent(intent(metadata=metadata))
        assert (read_standing.order_id, read_standing.step) == (None, None)


# Events

OUT = transaction("txn_1", -1299, 1500)
MOVED = (DisputeMove(transaction="txn_1", dispute=DISPUTE, amount=-1299, fee=1500),)
REFUNDED = standing_of_refund(refund())
EVENTS = {
    "payment_intent.created": (intent("requires_payment_method"), standing()),
    "payment_intent.processing": (intent("processing"), standing()),
    "payment_intent.requires_action": (intent("requires_action"), standing(acting=True)),
    "payment_intent.amount_capturable_updated": (intent(), standing(authorized=1299)),
    "payment_intent.succeeded": (
        intent("succeeded"),
        standing(authorized=1299, captured=1299, closed="captured"),
    ),
    "payment_intent.payment_failed": (
        intent("requires_payment_method", last_payment_error={"code": "card_declined"}),
        standing(failed="card_declined"),
    ),
    "payment_intent.canceled": (intent("canceled"), standing(closed="canceled")),
    "payment_intent.partially_funded": (intent("requires_action"), standing(acting=True)),
    "charge.succeeded": (charge(), standing(authorized=1299, capture_before=LAPSES)),
    "charge.updated": (charge(), standing(authorized=1299, capture_before=LAPSES)),
    "charge.captured": (
        charge(amount_captured=1299),
        standing(authorized=1299, captured=1299, capture_before=LAPSES),
    ),
    "charge.failed": (
        charge("failed", failure_code="card_declined", payment_method_details=None),
        standing(failed="card_declined"),
    ),
    "charge.pending": (charge("pending", payment_method_details=None), standing()),
    "charge.expired": (charge(), standing(authorized=1299, capture_before=LAPSES)),
    "refund.created": (refund(), REFUNDED),
    "refund.updated": (refund(), REFUNDED),
    "refund.failed": (refund(), REFUNDED),
} | {
    f"charge.dispute.{what}": (
        dispute(OUT),
        Standing(reference=INTENT, currency="EUR", moves=MOVED),
    )
    for what in ("created", "updated", "funds_withdrawn", "funds_reinstated", "closed")
}


def test_every_type_that_tells_of_money_is_tried_here():
    assert set(EVENTS) == set(stripe_events.EVENT_TYPES)


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_is_read_by_its_object(kind):
    found, expected = EVENTS[kind]
    news = read(event(kind, found))
    about_dispute = kind.startswith("charge.dispute.")
    assert (news.event_id, news.kind, news.created) == ("evt_3Qx1", kind, NOW)
    assert (news.reference, news.standing) == (INTENT, expected)
    assert (news.look, news.notice) == (about_dispute, "dispute" if about_dispute else None)
    assert (news.ignored, news.other_version) == (None, None)


@pytest.mark.parametrize(
    ("kind", "found"), [("charge.refunded", charge(amount_refunded=500)), ("charge.refund.updated", refund())]
)
def test_a_second_witness_of_a_refund_is_a_receipt_only(kind, found):
    news = read(event(kind, found))
    assert (news.reference, news.standing, news.look, news.ignored) == (INTENT, None, False, None)


@pytest.mark.parametrize(
    ("kind", "notice"),
    [
        ("radar.early_fraud_warning.created", "early_fraud_warning"),
        ("radar.early_fraud_warning.updated", "early_fraud_warning"),
        ("review.opened", "review"),
        ("review.closed", "review"),
    ],
)
def test_a_warning_or_review_is_a_notice(kind, notice):
    news = read(event(kind, {"id": "issfr_1", "charge": CHARGE, "payment_intent": INTENT}))
    assert (news.notice, news.reference, news.standing, news.look) == (notice, INTENT, None, False)


def test_a_payout_is_a_receipt_and_other_news_of_it_are_not_read():
    for one in (event("payout.paid", {"id": "po_1"}), thin("v1.payout.reconciliation_completed", "po_1")):
        news = read(one)
        assert (news.ignored, news.standing, news.reference, news.look) == (None, None, None, False)
    assert read(event("payout.created", {"id": "po_1"})).ignored == "kind"


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (event("payment_intent.succeeded", intent("succeeded"), livemode=True), "livemode"),
        (event("payout.paid", {}, livemode=None), "livemode"),
        (event("payment_intent.succeeded", intent("succeeded"), account="acct_1"), "account"),
        (thin("v1.payment_intent.succeeded", INTENT, context="acct_1"), "account"),
        (thin("v1.payment_intent.succeeded", INTENT, livemode=True), "livemode"),
        (event("customer.created", {"id": "cus_1", "name": PERSONAL[1]}), "kind"),
        (thin("v1.customer.created", "cus_1"), "kind"),
        (thin("v2.core.account.updated", "acct_1"), "kind"),
        (event("charge.succeeded", charge(payment_intent=None)), "foreign"),
        (event("refund.created", refund(payment_intent=None)), "foreign"),
        (event("payment_intent.succeeded", intent("succeeded", currency="usdc")), "foreign"),
    ],
)
def test_what_is_not_ours_is_ignored_and_says_why(one, why):
    news = read(one)
    assert (news.ignored, news.standing, news.look) == (why, None, False)


@pytest.mark.parametrize("version", ["2024-06-20", None, 7, PERSONAL[1]])
def test_an_event_written_for_another_version_only_begins_a_look(version):
    for kind, (found, _) in EVENTS.items():
        news = read(event(kind, found, api_version=version))
        assert (news.reference, news.look, news.standing) == (INTENT, True, None)
        assert news.other_version == (version if version == "2024-06-20" else "none")


@pytest.mark.parametrize(
    ("kind", "related", "notice"),
    [
        ("v1.payment_intent.succeeded", INTENT, None),
        ("v1.charge.captured", CHARGE, None),
        ("v1.refund.failed", REFUND, None),
        ("v1.charge.dispute.closed", DISPUTE, "dispute"),
    ],
)
def test_a_thin_event_begins_a_look(kind, related, notice):
    news = read(thin(kind, related))
    assert (news.kind, news.reference, news.look, news.standing) == (kind, related, True, None)
    assert news.notice == notice
    assert news.created == datetime(2026, 11, 18, 11, 6, 40, 123000, UTC)


def test_a_thin_receipt_begins_nothing():
    assert not read(thin("v1.charge.refunded", CHARGE)).look


def test_the_order_of_a_payments_news_does_not_matter():
    parts = [read(event(kind, found)).standing for kind, (found, _) in EVENTS.items()]
    facts = [parts[list(EVENTS).index(kind)] for kind in EVENTS if kind.split(".")[-1] in _FIVE]
    ends = set()
    for order in permutations(facts):
        end = order[0]
        for part in (*order, *order):
            end = join(end, part)
        ends.add(end)
    assert len(ends) == 1


_FIVE = ("requires_action", "succeeded", "captured", "failed", "funds_withdrawn")


# No secrets, and no surprises


@pytest.mark.parametrize("kind", [*EVENTS, "charge.refunded", "charge.refund.updated"])
def test_nothing_personal_leaves(kind):
    found = EVENTS[kind][0] if kind in EVENTS else charge()
    if kind.startswith("payment_intent."):
        found = found | {"latest_charge": charge(found["status"])}
    one = event(kind, found)
    assert any(word in json.dumps(one) for word in PERSONAL)
    assert not [word for word in PERSONAL if word in repr(read(one))]


def _places(node, path=()):
    """The path to every member and item below a node."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield (*path, name)
        yield from _places(child, (*path, name))


ODD = [
    None,
    True,
    -1,
    10**30,
    1.5,
    float("nan"),
    "",
    "\udcff",
    PERSONAL[1],
    "x" * 5000,
    [],
    {},
    [None],
    [[]],
    {"id": 5},
]


@pytest.mark.parametrize("kind", [*EVENTS, "charge.refunded", "review.opened", "v1.charge.captured"])
def test_a_damaged_event_is_read_or_rejected_and_names_no_value(kind):
    if kind.startswith("v1."):
        whole = thin(kind, CHARGE)
    else:
        whole = event(kind, copy.deepcopy(EVENTS[kind][0] if kind in EVENTS else charge()))
        if kind.startswith("payment_intent."):
            whole["data"]["object"]["latest_charge"] = charge()
    tried = 0
    for *above, name in _places(whole):
        for value in [*ODD, "missing"]:
            damaged = copy.deepcopy(whole)
            node = damaged
            for step in above:
                node = node[step]
            if value == "missing" and isinstance(node, dict):
                del node[name]
            else:
                node[name] = value
            try:
                shown = repr(read(damaged))
            except NewsRejected as error:
                shown = repr(error) + repr(error.__cause__)
            assert not [word for word in (*PERSONAL, "xxxx") if word in shown]
            tried += 1
    assert tried > 100


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "object", "type", "data", "created", "status", "currency", "livemode"]
                ),
                inner,
            )
        ),
    )
)
def test_whatever_is_signed_is_read_or_rejected(value):
    body = json.dumps(value).encode()
    header = sign(body, SECRET, NOW)
    with contextlib.suppress(NewsRejected):
        read_news(body, header, NOW, secrets=[SECRET], livemode=False, api_version=API_VERSION)


def test_json_that_no_parser_ends_is_rejected():
    for body in (b"[" * 100_000, b"1" * 10_000, b'{"a":', b"", b"null"):
        with pytest.raises(NewsRejected):
            read_news(
                body, sign(body, SECRET, NOW), NOW, secrets=[SECRET], livemode=False, api_version=API_VERSION
            )


# Amounts


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Money(1299, "EUR"), 1299),
        (Money(500, "JPY"), 500),
        (Money(500, "ISK"), 50_000),
        (Money(500, "UGX"), 50_000),
        (Money(50_000, "MGA"), 500),
        (Money(1230, "KWD"), 1230),
        (Money(1299, "HUF"), 1299),
    ],
)
def test_amounts_are_written_in_stripes_digits_and_read_back(ours, theirs):
    assert chargeable(ours) is None
    assert to_stripe(ours) == theirs
    assert from_stripe(theirs, ours.currency.lower()) == ours


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (Money(50_010, "MGA"), "amount_has_too_many_digits"),
        (Money(1234, "KWD"), "amount_has_too_many_digits"),
        (Money(10**15 + 1, "GBP"), "amount_too_large"),
        (Money(10**13 + 1, "ISK"), "amount_too_large"),
        (Money(1000, "IQD"), "currency_not_supported"),
        (Money(1000, "LYD"), "currency_not_supported"),
        (Money(1000, "XXX"), "currency_not_supported"),
    ],
)
def test_an_amount_that_stripe_cannot_write_is_refused_and_never_rounded(amount, code):
    assert chargeable(amount) == code
    with pytest.raises(ValueError, match=code):
        to_stripe(amount)


def test_an_amount_that_iso_cannot_write_is_no_news():
    assert standing_of_intent(intent(currency="isk", amount_capturable=129900)).authorized == 1299
    with pytest.raises(NewsRejected, match=r"^amount_capturable$"):
        standing_of_intent(intent(currency="isk", amount_capturable=129950))
