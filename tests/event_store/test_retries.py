"""The pauses between retries."""

from itertools import islice

from event_store.retries import RetryPolicy


def test_pauses_grow_up_to_the_longest() -> None:
    pauses = RetryPolicy(pause_first=0.5, pause_max=3.0).pauses()
    assert list(islice(pauses, 5)) == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert next(islice(pauses, 10_000, None)) == 3.0


def test_a_first_pause_over_the_longest_is_cut() -> None:
    assert list(islice(RetryPolicy(pause_first=5.0, pause_max=3.0).pauses(), 2)) == [3.0, 3.0]
