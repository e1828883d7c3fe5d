"""How webhooks are sent, by the settings."""

from __future__ import annotations

from commands.settings import Settings
from commands.webhooks.addresses import Reach, parse_networks
from commands.webhooks.sender import Sending


def choose_sending(settings: Settings) -> Sending:
    """As the settings say; nothing is called yet."""
    return Sending(
        reach=Reach(parse_networks(settings.webhook_networks)),
        call_seconds=settings.webhook_seconds,
        keep_days=settings.webhook_log_days,
    )
