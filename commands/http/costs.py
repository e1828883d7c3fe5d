"""What the command API's requests cost of a client's budget: by what they make the system do."""

from __future__ import annotations

from commands.gateways.stripe_events import WEBHOOK_PATH
from deploy.edge.rate_limits import Costs

COSTS = Costs(
    by_beginning={
        "/api/v1/visits": 2,
        "/api/v1/carts": 2,
        "/api/v1/orders": 5,
        "/api/v1/gift-cards/balance": 5,
    },
    by_ending={"/checkout": 10, "/payment-action": 10, "/quote": 10, "/try": 10},
    # The gateway tells what it has to tell from few addresses; a signature opens the route.
    free=(WEBHOOK_PATH,),
)
