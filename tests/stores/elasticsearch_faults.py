"""A way to Elasticsearch on which requests can be held back, or refused in part, as a busy server does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from elastic_transport import ConnectionTimeout, NodeConfig, Urllib3HttpNode
from elastic_transport._node import NodeApiResponse
from elasticsearch import Elasticsearch

Request = Callable[[bytes | None], NodeApiResponse]
"""Sends the request on with this body."""

Fault = Callable[[str, bytes, Request], NodeApiResponse]
"""Given the path and body of a write."""


class FaultyWay:
    """One client's way; what befalls its writes may be set at any time."""

    def __init__(self) -> None:
        self.fault: Fault | None = None

    def client(self, url: str) -> Elasticsearch:
        way = self

        class Node(Urllib3HttpNode):
            def __init__(self, config: NodeConfig) -> None:
                super().__init__(config)

            def perform_request(
                self, method: str, target: str, body: bytes | None = None, *arguments: Any, **named: Any
            ) -> NodeApiResponse:
                def go_on(changed: bytes | None) -> NodeApiResponse:
                    return Urllib3HttpNode.perform_request(self, method, target, changed, *arguments, **named)

                if way.fault is None or body is None or "_mget" in target or "_search" in target:
                    return go_on(body)
                return way.fault(target, body, go_on)

        return Elasticsearch(url, node_class=Node, max_retries=0, retry_on_timeout=False)


class HeldBack:
    """Writes whose response does not come in time, and which are done later."""

    def __init__(self) -> None:
        self._held: list[Callable[[], NodeApiResponse]] = []

    def __len__(self) -> int:
        return len(self._held)

    def __call__(self, _: str, body: bytes, go_on: Request) -> NodeApiResponse:
        self._held.append(lambda: go_on(body))
        raise ConnectionTimeout("no response in time")

    def let_through(self) -> None:
        """The server does them now, in their order."""
        while self._held:
            self._held.pop(0)()


class RefusedInPart:
    """Every second document of a bulk is refused, as by a full queue; the others are written."""

    def __init__(self) -> None:
        self.refused = 0

    def __call__(self, target: str, body: bytes, go_on: Request) -> NodeApiResponse:
        if "_bulk" not in target:
            return go_on(body)
        lines = body.rstrip(b"\n").split(b"\n")
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        written = b"".join(line + b"\n" for pair in pairs[::2] for line in pair)
        response = go_on(written)
        answer = json.loads(response.body)
        items = iter(answer["items"])
        all_items = []
        for number, (action, _) in enumerate(pairs):
            if number % 2 == 0:
                all_items.append(next(items))
                continue
            self.refused += 1
            error = {"type": "es_rejected_execution_exception", "reason": "rejected execution: queue is full"}
            document_id = json.loads(action)["index"]["_id"]
            all_items.append({"index": {"_id": document_id, "status": 429, "error": error}})
        answer |= {"items": all_items, "errors": True}
        return NodeApiResponse(response.meta, json.dumps(answer).encode())
