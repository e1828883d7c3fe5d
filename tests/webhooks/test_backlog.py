"""What may be attempted when: held against a plain reading of the rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from aggregates.webhooks.events import Ordering
from commands.webhooks.backlog import Backlog
from event_store.deliveries import Delivery

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def delivery(position: int, stream: str, seconds: int = 0) -> Delivery:
    due_at = NOON + timedelta(seconds=seconds)
    return Delivery("e", position, stream, "a.b", "", "pending", 0, due_at)


@given(
    ordering=st.sampled_from(["stream", "none"]),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from("abc"), st.integers(0, 5)),
            st.tuples(st.just("take"), st.just(""), st.integers(0, 5)),
            st.tuples(st.sampled_from(["end", "fail"]), st.just(""), st.integers(0, 5)),
        ),
        max_size=60,
    ),
)
def test_it_gives_what_is_due_and_has_nothing_before_it(
    ordering: Ordering, steps: list[tuple[str, str, int]]
) -> None:
    backlog = Backlog(ordering)
    pending: dict[int, Delivery] = {}
    under_way: list[Delivery] = []
    for position, (step, stream, seconds) in enumerate(steps):
        now = NOON + timedelta(seconds=seconds)
        if step == "add":
            pending[position] = delivery(position, stream, seconds)
            backlog.add(pending[position])
        elif step == "take":
            waits = {one.position for one in under_way}
            heads = [
                one
                for one in pending.values()
                if one.position not in waits
                and (
                    ordering == "none"
                    or not any(p < one.position and o.stream == one.stream for p, o in pending.items())
                )
            ]
            due = [one for one in heads if one.due_at <= now]
            wanted = min(due, key=lambda one: (one.due_at, one.position), default=None)
            assert backlog.next_due() == min((one.due_at for one in heads), default=None)
            assert backlog.take(now) == wanted
            if wanted is not None:
                under_way.append(wanted)
        elif under_way:
            one = under_way.pop()
            if step == "end":
                del pending[one.position]
                backlog.end(one)
            else:
                failed = msgspec.structs.replace(one, attempts=one.attempts + 1, due_at=now)
                pending[one.position] = failed
                backlog.put_back(failed)
        assert len(backlog) == len(pending)
        assert backlog.first_position() == min(pending, default=None)
