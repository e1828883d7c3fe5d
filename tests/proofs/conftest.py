"""The same servers and logs as the log's tests."""

from tests.event_store.conftest import *  # noqa: F403
