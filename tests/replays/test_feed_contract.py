"""The event feed does what its OpenAPI document says, whatever is sent."""

from __future__ import annotations

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig

from event_store.memory.log import MemoryLog
from tests.read_api.test_openapi import check_operations
from tests.replays.served import Served
from tests.shop.story import Story

# What fits the schema may be another log's, beyond the head, a span that ends before it begins, or no day.
EXPECTED = {"expected-statuses": ["2xx", "304", "400", "409"]}
CHECKED = SchemathesisConfig.from_dict({"checks": {"positive_data_acceptance": EXPECTED}})


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_the_feed_does_what_the_document_says(mode: schemathesis.GenerationMode) -> None:
    log = MemoryLog()
    Story(log).whole_story()
    with Served(log) as served:
        document = schemathesis.openapi.from_url(
            f"http://127.0.0.1:{served.port}/openapi.json", config=CHECKED
        )
        assert check_operations(document, mode, max_examples=25, derandomize=True) == 1
