"""Gift cards that expire: when an account's last day is over, its balance is taken off."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from aggregates.credit.events import AccountExpired, AccountOpened
from commands.handlers.credit import ExpireAccount
from commands.processes.kind import Change, Closed, Due, Opened
from event_store.records import EventLog, RecordedEvent


class CreditExpiry:
    """See ProcessKind. One timer an account that has a last day."""

    name = "credit_expiry"
    event_names = ("credit.account_opened", "credit.account_expired")
    at_once_max = 8
    round_seconds = 1.0

    def starts_at(self, log: EventLog) -> int:
        """The log's start: what was opened expires a long time after."""
        return 0

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """Opened with the account, due when its last day (UTC) is over."""
        match event:
            case AccountOpened(account_id=account_id, expires_on=date() as last_day):
                over = datetime.combine(last_day, time(tzinfo=UTC)) + timedelta(days=1)
                yield Opened(account_id, due_at=over)
            case AccountExpired(account_id=account_id):
                yield Closed(account_id)

    async def do(self, due: Due) -> ExpireAccount:
        """Expires it."""
        opened: AccountOpened = due.event
        return ExpireAccount(account_id=opened.account_id, today=due.now.date())
