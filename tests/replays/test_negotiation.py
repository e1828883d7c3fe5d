"""Which form an asker gets, as RFC 9110 has it."""

from __future__ import annotations

import pytest

from replays.feed.feed_request import BATCH, FORMS, LINES, PAGE
from replays.feed.negotiation import negotiated

STREAM = "text/event-stream"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", PAGE),
        ("*/*", PAGE),
        ("application/*", PAGE),
        ("text/*", STREAM),
        ("application/json", PAGE),
        ("Application/X-NDJSON", LINES),
        ("application/cloudevents-batch+json; charset=utf-8", BATCH),
        ("text/event-stream, */*", STREAM),
        ("*/*, application/x-ndjson", LINES),
        ("application/x-ndjson;q=0.5, application/cloudevents-batch+json;q=0.9", BATCH),
        ("application/json;q=0, */*", BATCH),
        ("*/*;q=0.1, application/x-ndjson;q=0.05", PAGE),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", PAGE),
        ("text/html", None),
        ("application/json;q=0", None),
        ("*/*;q=0", None),
        ("json", None),
        (",;,", None),
        ("nonsense, application/x-ndjson ; q = 1.000", LINES),
    ],
)
def test_the_form_is_the_one_that_the_asker_likes_best(accept: str, form: str | None) -> None:
    assert negotiated(accept, FORMS) == form
