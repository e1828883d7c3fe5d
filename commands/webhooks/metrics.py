"""What an operator sees of webhooks in `/metrics`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

ATTEMPTS = Counter("daybook_webhook_attempts_total", "Attempts at webhooks", ["endpoint", "outcome"])
PENDING = Gauge("daybook_webhook_pending", "Deliveries that are pending", ["endpoint"])
LAG = Gauge("daybook_webhook_lag", "Positions of the log after the last one before all pending", ["endpoint"])
DISABLED = Gauge("daybook_webhook_disabled", "1 where nothing is sent to the endpoint", ["endpoint"])
