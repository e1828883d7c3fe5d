"""Which log an application of the library has: the schema its name stands for."""

from __future__ import annotations

import hashlib
import re

DAYBOOK = "daybook"
UNNAMED = "eventsourcing"


def schema_of(application_name: str) -> str:
    """Daybook's own log, the one of applications without a name, or the application's own.

    A schema's name is short and folds nothing: a digest distinguishes names whose readable parts are equal.
    """
    if application_name == DAYBOOK:
        return DAYBOOK
    if not application_name:
        return UNNAMED
    readable = re.sub(r"[^a-z0-9]+", "_", application_name.lower())[:24].strip("_")
    digest = hashlib.sha256(application_name.encode()).hexdigest()[:16]
    return f"app_{readable}_{digest}"
