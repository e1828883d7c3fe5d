"""An order's story, and how it stood at any moment."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from aggregates.inventory.events import StockDispatched
from aggregates.kernel import MAIN, Money
from aggregates.orders.events import LineQuantity, LinesFulfilled, LinesReturned, OrderConfirmed
from aggregates.payments.events import PaymentCaptured
from event_store.postgres.log import PostgresLog
from projections.views.orders import VIEW
from replays.cli import replays_group
from replays.order.history import HistoryEvent, UnknownOrder, load_history
from replays.order.report import order_document
from tests.shop.facts import CODEC, EMAIL
from tests.shop.story import ANNA, BORIS, MUG, Story


def replay(url: str, *arguments: str) -> Result:
    """`daybook replays …`"""
    return CliRunner().invoke(replays_group, arguments, obj=SimpleNamespace(postgres_url=url))


def state(url: str, *arguments: str) -> dict[str, Any]:
    """The order's document as `--json` shows it."""
    result = replay(url, "order", ANNA, "--json", *arguments)
    assert result.exit_code == 0, result.output
    read: dict[str, Any] = json.loads(result.stdout)
    return read


def test_the_history_is_every_event_of_every_stream_about_the_order_and_no_other(
    postgres_shop: Story,
) -> None:
    postgres_shop.whole_story()

    history = load_history(postgres_shop.log, CODEC, ANNA)

    assert [moment.recorded.type.partition(".")[2] for moment in history] == [
        "cart_opened",
        "item_added",
        "cart_checked_out",
        "order_placed",
        "stock_reserved",
        "payment_requested",
        "process_started",
        "step_begun",
        "step_ended",
        "payment_authorized",
        "order_confirmed",
        "reservation_confirmed",
        "lines_fulfilled",
        "stock_dispatched",
        "payment_captured",
        "lines_returned",
        "stock_restocked",
        "payment_refunded",
        "order_refunded",
        "credit_note_issued",
    ]
    positions = [moment.recorded.position for moment in history]
    assert positions == sorted(positions)
    assert all(BORIS not in str(moment.event) for moment in history)


def test_the_events_of_a_hot_sku_are_not_read_to_find_the_order_s_few(postgres_shop: Story) -> None:
    postgres_shop.whole_story()
    read: list[str] = []
    log = postgres_shop.log

    class Watched:
        def __getattr__(self, name: str) -> Any:
            def call(*arguments: Any, **named: Any) -> Any:
                result = getattr(log, name)(*arguments, **named)
                if name == "read_all":
                    read.extend(recorded.type for recorded in result)
                assert "stock-" not in str((arguments, named))
                return result

            return call

    load_history(Watched(), CODEC, BORIS)  # type: ignore[arg-type]

    assert read.count("inventory.stock_reserved") == 1


def test_an_order_nobody_placed_is_unknown(postgres_shop: Story) -> None:
    postgres_shop.whole_story()

    with pytest.raises(UnknownOrder):
        load_history(postgres_shop.log, CODEC, "f" * 32)


def test_the_auditor_reads_personal_data_until_its_key_is_gone(
    fresh_postgres: str, postgres_shop: Story
) -> None:
    postgres_shop.whole_story()
    placed = load_history(postgres_shop.log, CODEC, ANNA)[3]
    assert placed.event.email == EMAIL

    with psycopg.connect(fresh_postgres) as connection:
        connection.execute("DELETE FROM daybook.subject_keys")

    erased: HistoryEvent = load_history(postgres_shop.log, CODEC, ANNA)[3]
    assert erased.event.email is None
    assert erased.event.total == placed.event.total


def test_the_story_is_told_in_words(fresh_postgres: str, postgres_shop: Story) -> None:
    postgres_shop.whole_story()

    result = replay(fresh_postgres, "order", ANNA)

    assert result.exit_code == 0, result.output
    for words in (
        f"Order N-{ANNA} ({ANNA}), now",
        "status partially_returned, payment partially_refunded",
        "1. 2 × Mug MUG-1 (MUG-1) = 25.98 GBP: 2 of 2 sent, 1 returned",
        "total 29.98 GBP",
        "refunded 12.99 GBP",
        "place order, by anonymous, channel web",
        "fulfil order, by operator token, channel api",
        "cart         2 units of Mug MUG-1 (MUG-1) put in, at 12.99 GBP each.",
        f"order        Order N-{ANNA} was placed by a guest: 29.98 GBP in all.",
        "to be notified at anna@example.org",
        "to be sent to Anna, 1 High St, LS1 Leeds, GB",
        "stock        2 units of Mug MUG-1 (MUG-1) set aside until 2026-03-01T12:15:00Z.",
        f"payment      29.98 GBP authorized by the bank (reference pi_{ANNA}).",
        "credit note  Credit note n1 over 12.99 GBP was issued",
    ):
        assert words in result.stdout, result.stdout


def test_the_state_at_a_position_is_what_had_happened_by_then(
    fresh_postgres: str, postgres_shop: Story
) -> None:
    postgres_shop.whole_story()
    positions = {
        moment.recorded.type: moment.recorded.position
        for moment in load_history(postgres_shop.log, CODEC, ANNA)
    }

    def at(type_: str) -> tuple[str, str]:
        order = state(fresh_postgres, "--position", str(positions[type_]))["order"]
        return order["status"], order["payment"]["status"]

    assert at("orders.order_placed") == ("placed", "pending")
    assert at("orders.order_confirmed") == ("confirmed", "authorized")
    assert at("orders.lines_fulfilled") == ("fulfilled", "authorized")
    assert at("payments.payment_captured") == ("fulfilled", "captured")
    assert at("payments.payment_refunded") == ("partially_returned", "partially_refunded")


def test_the_state_now_is_the_read_model_s_document(postgres_shop: Story) -> None:
    postgres_shop.whole_story()
    document = None
    for recorded in postgres_shop.log.read_all(after=0, limit=1_000):
        event = CODEC.decode(recorded)
        facts = VIEW.facts(event, recorded) if type(event) in VIEW.events else ()
        for key, fact in facts:
            if key == ANNA:
                document = VIEW.evolve(key, document, fact, recorded)
                document.position = recorded.position

    assert document == order_document(load_history(postgres_shop.log, CODEC, ANNA))


def test_json_has_the_events_with_who_and_when_and_personal_data_open(
    fresh_postgres: str, postgres_shop: Story
) -> None:
    postgres_shop.whole_story()

    event = state(fresh_postgres)["events"][3]

    assert event["type"] == "orders.order_placed"
    assert (event["stream"], event["version"]) == (f"order-{ANNA}", 1)
    assert event["data"]["email"] == EMAIL
    assert event["data"]["total"] == {"amount": 2998, "currency": "GBP"}
    assert event["actor"] == "anonymous:"
    assert event["command"]["name"] == "place_order"
    assert event["command"]["channel"] == "web"
    assert event["correlation"] == "0af7651916cd43dd8448eb211c80319c"


def imported_late(shop: Story) -> None:
    """Sold, sent and paid in 2010; written down today; a return of 2011 written down before it was known."""
    sold, returned = datetime(2010, 12, 1, 8, 26, tzinfo=UTC), datetime(2011, 1, 5, tzinfo=UTC)
    shop.receive()
    lines = (LineQuantity(line_id="1", sku=MUG, quantity=2),)
    shop.write(
        "import_sale",
        shop.ordered(ANNA, {MUG: 2}, charges=(400,), email=EMAIL),
        OrderConfirmed(order_id=ANNA),
        PaymentCaptured(order_id=ANNA, amount=Money(2998, "GBP"), source="elsewhere"),
        LinesFulfilled(order_id=ANNA, fulfilment_id="f1", lines=lines),
        StockDispatched(sku=MUG, location=MAIN, order_id=ANNA, quantity=2, from_reservation=0),
        channel="import",
        valid_at=sold,
    )
    back = LinesReturned(order_id=ANNA, return_id="r1", lines=lines, restock=False)
    shop.write("import_return", back, channel="import", valid_at=returned)


def test_valid_time_and_recorded_time_are_two_questions(fresh_postgres: str, postgres_shop: Story) -> None:
    imported_late(postgres_shop)
    now = datetime.now(UTC)

    assert state(fresh_postgres, "--valid-at", "2010-12-31")["order"]["status"] == "fulfilled"
    assert state(fresh_postgres, "--valid-at", "2011-01-05")["order"]["status"] == "returned"
    assert replay(fresh_postgres, "order", ANNA, "--valid-at", "2010-11-30").exit_code == 1
    assert replay(fresh_postgres, "order", ANNA, "--at", "2011-01-05").exit_code == 1
    later = (now + timedelta(minutes=1)).isoformat()
    assert state(fresh_postgres, "--at", later)["order"]["status"] == "returned"


def test_recorded_time_counts_to_the_microsecond(fresh_postgres: str, postgres_shop: Story) -> None:
    imported_late(postgres_shop)
    recorded_at = load_history(postgres_shop.log, CODEC, ANNA)[-1].recorded.recorded_at

    just_before = (recorded_at - timedelta(microseconds=1)).isoformat()

    assert state(fresh_postgres, "--at", recorded_at.isoformat())["order"]["status"] == "returned"
    assert state(fresh_postgres, "--at", just_before)["order"]["status"] == "fulfilled"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("f" * 32,), 1, f"there is no order {'f' * 32}"),
        ((ANNA, "--at", "2010-01-01"), 1, "there was no such order as recorded by 2010-01-01T23:59:59"),
        ((ANNA, "--position", "2"), 1, "there was no such order as of position 2"),
        ((ANNA, "--at", "2026-03-01T12:00:00"), 2, "does not say which clock"),
        ((ANNA, "--at", "noon"), 2, "'noon' is not a time"),
        ((ANNA, "--at", "2026-03-01", "--position", "2"), 2, "only one of --at"),
    ],
)
def test_what_cannot_be_answered_is_one_line(
    fresh_postgres: str, postgres_shop: Story, arguments: tuple[str, ...], exit_code: int, words: str
) -> None:
    postgres_shop.whole_story()

    result = replay(fresh_postgres, "order", *arguments)

    assert result.exit_code == exit_code, result.output
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_verify_says_what_it_looked_at(fresh_postgres: str, postgres_shop: Story) -> None:
    postgres_shop.whole_story()

    result, read = replay(fresh_postgres, "verify"), replay(fresh_postgres, "verify", "--json")

    assert result.exit_code == 0, result.output
    assert "nothing is wrong" in result.stdout
    assert json.loads(read.stdout)["findings"] == []
    assert json.loads(read.stdout)["events"] == postgres_shop.log.head()


def test_verify_exits_1_with_each_finding(fresh_postgres: str, postgres_shop: Story) -> None:
    postgres_shop.whole_story()
    captured = PaymentCaptured(order_id=ANNA, amount=Money(2998, "GBP"), source="elsewhere")
    postgres_shop.write("pay_twice", captured)

    result, read = replay(fresh_postgres, "verify"), replay(fresh_postgres, "verify", "--json")

    assert (result.exit_code, read.exit_code) == (1, 1)
    position = postgres_shop.log.head()
    assert f"payment: position {position} · payment-{ANNA} · 5996 taken for an order of 2998" in result.stdout
    finding, unsaid = json.loads(read.stdout)["findings"]
    assert finding["position"] == position
    assert finding["rule"] == "payment"
    assert (unsaid["rule"], unsaid["stream"]) == ("payment", f"checkout-{ANNA}")
    assert "2998 to the customer, nothing to be looked at by the books; said last: nothing" in unsaid["wrong"]


def test_an_empty_log_is_sound(fresh_postgres: str, postgres_log: PostgresLog) -> None:
    assert postgres_log.head() == 0
    assert replay(fresh_postgres, "verify").exit_code == 0
