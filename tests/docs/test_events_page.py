"""docs/events.md says what the code says."""

from tests.docs.generate import PAGE, events_page


def test_the_events_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == events_page(), "run: python -m tests.docs.generate"
