"""The problems of the event feed alone."""

from __future__ import annotations

from deploy.edge.problems import ProblemType

INVALID_PARAMETER = ProblemType("invalid-parameter", 400, "A parameter does not have its form.")
NOT_ACCEPTABLE = ProblemType("not-acceptable", 406, "None of the forms that were asked for is there.")
UNKNOWN_EVENT_TYPE = ProblemType("unknown-event-type", 400, "The log has no events of this type.")
BEYOND_HEAD = ProblemType("position-beyond-head", 409, "The log does not reach so far: read another one?")
ANOTHER_LOG = ProblemType("another-log", 409, "This is not the log that was read.")
ANOTHER_HISTORY = ProblemType("another-history", 409, "The log has another event there now: read it anew.")
LOG_DAMAGED = ProblemType("log-damaged", 500, "A position is missing from the log.")
STORE_UNAVAILABLE = ProblemType("store-unavailable", 503, "The event store is away. Try again.")

PROBLEM_TYPES: tuple[ProblemType, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, ProblemType)
)
