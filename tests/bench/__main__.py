"""`make bench`: every figure that ours is measured by; `python -m tests.bench append` is one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.bench import (
    append,
    coupons,
    exporting,
    finding,
    folding,
    hot_stream,
    live,
    one_caller,
    owed,
    payments,
    priced_carts,
    pricing,
    reading,
    reconciliation,
    relay,
    restore,
    schedules,
    searching,
    servers,
    sizes,
    storefront,
    visible,
)

BENCHES: dict[str, Callable[[], None]] = {
    "append": append.main,
    "one_caller": one_caller.main,
    "owed": owed.main,
    "reading": reading.main,
    "hot_stream": hot_stream.main,
    "live": live.main,
    "payments": payments.main,
    "priced_carts": priced_carts.main,
    "pricing": pricing.main,
    "coupons": coupons.main,
    "finding": finding.main,
    "reconciliation": reconciliation.main,
    "relay": relay.main,
    "schedules": schedules.main,
    "searching": searching.main,
    "storefront": storefront.main,
    "visible": visible.main,
}
LONG = {
    "exporting": exporting.main,
    "folding": folding.main,
    "servers": servers.main,
    "sizes": sizes.main,
    "restore": restore.main,
}


def main() -> None:
    """Runs those named, or all but the long ones."""
    known = BENCHES | LONG
    names = sys.argv[1:] or list(BENCHES)
    if not known.keys() >= set(names):
        raise SystemExit(f"name some of: {', '.join(known)}")
    for name in names:
        print(f"== {name}", flush=True)
        known[name]()


if __name__ == "__main__":
    main()
