"""Stripe's Reporting API over the sandbox's books: a run is pending for a while, then its file is there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from commands.gateways.sandbox.balance_report import report_lines
from commands.gateways.sandbox.books import Books, Reply
from commands.reconciliation.report import COLUMNS, balance_report


@dataclass
class Reports:
    """`statuses`: what a run is, the first when it is made and the last from then on."""

    books: Books
    statuses: tuple[str, ...] = ("pending", "pending", "succeeded")
    available_seconds: int = 1  # after now; below zero: the data is as old as that
    file_status: int = 200  # 0: the connection is reset
    file_origin: str | None = None  # elsewhere than the API
    _runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    _shown: dict[str, int] = field(default_factory=dict)

    def reply(self, operation: str, given: dict[str, Any], url: str) -> Reply | None:
        """The response to an operation of the Reporting API; None where it is none."""
        match operation:
            case "report_types.retrieve":
                end = int(self.books.clock().timestamp()) + self.available_seconds
                body: dict[str, Any] = {"id": given["id"], "object": "reporting.report_type"}
                body["data_available_end"] = end
            case "report_runs.create":
                body = {"id": f"frr_{secrets.token_hex(8)}", "object": "reporting.report_run", **given}
                self._runs[body["id"]] = body
            case "report_runs.retrieve":
                body = self._runs[given["id"]]
            case _:
                return None
        if operation.startswith("report_runs"):
            shown = self._shown[body["id"]] = self._shown.get(body["id"], -1) + 1
            body["status"] = self.statuses[min(shown, len(self.statuses) - 1)]
            file = f"{self.file_origin or url}/v1/files/file_{body['id']}/contents"
            body["result"] = {"object": "file", "url": file} if body["status"] == "succeeded" else None
        return Reply(status=200, body=body, request_id=f"req_{secrets.token_hex(7)}")

    def contents(self, file: str) -> bytes:
        """A file's."""
        parameters = self._runs[file.removeprefix("file_")]["parameters"]
        assert parameters["columns"] == list(COLUMNS)
        since, until = (
            datetime.fromtimestamp(int(parameters[f"interval_{name}"]), UTC) for name in ("start", "end")
        )
        return "".join(balance_report(report_lines(self.books, since=since, until=until))).encode()
