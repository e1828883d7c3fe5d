"""What the query API's requests cost of a client's budget."""

from __future__ import annotations

from deploy.edge.rate_limits import Costs

COSTS = Costs(
    by_beginning={
        "/api/v1/search": 5,
        "/api/v1/suggest": 2,
        "/api/v1/products": 2,
        "/api/v1/products/": 1,
        "/api/v1/bestsellers": 3,
        "/api/v1/inventory": 2,
        "/api/v1/dashboards": 10,
        "/api/v1/customers": 5,
        "/api/v1/visits": 2,
        "/api/v1/events": 10,
    },
    by_ending={"/live": 5, "/also-bought": 3},
)
