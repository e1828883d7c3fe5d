"""The limits that both APIs put on a client, over budgets in Redis."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp

from deploy.edge.rate_limits import WINDOW_SECONDS, Costs, RateLimited, RateLimits
from deploy.local.settings import RateLimitSettings
from projections.documents.errors import ReadStoreUnavailable
from projections.documents.redis_token_buckets import RedisTokenBuckets

_TIMEOUT_SECONDS = 0.25


def rate_limits(settings: RateLimitSettings) -> RateLimits:
    """The budgets, as one process spends them."""
    buckets = settings.redis_url and RedisTokenBuckets(
        settings.redis_url,
        prefix="rate",
        capacity=settings.rate_limit,
        seconds=WINDOW_SECONDS,
        timeout_seconds=_TIMEOUT_SECONDS,
    )
    return RateLimits(buckets or None, per_minute=settings.rate_limit, away=ReadStoreUnavailable)


def limiting(settings: RateLimitSettings, costs: Costs) -> Callable[[ASGIApp], ASGIApp]:
    """Puts the limits around an application whose requests cost so much; where none are set, nothing."""

    def limited(app: ASGIApp) -> ASGIApp:
        if not settings.rate_limit:
            return app
        return RateLimited(app, rate_limits(settings), costs, operator_token=settings.operator_token)

    return limited
