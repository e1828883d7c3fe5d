"""The state topics in the AsyncAPI document: views' documents as they are now, a compacted topic each."""

from __future__ import annotations

from typing import Any

import msgspec

from projections.documents import shapes
from tests.contracts.event_schemas import SCHEMA_FORMAT, meaning

Document = dict[str, Any]

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "product": shapes.ProductDocument,
    "order": shapes.OrderDocument,
    "inventory": shapes.InventoryDocument,
}
"""What they have, by their views."""


def channels(prefix: str) -> dict[str, Document]:
    """The topic that says which version of each view is read, and those versions' topics."""
    return {
        "state": {
            "address": f"{prefix}state",
            "description": "Compacted: by view, which version of it is read.",
            "servers": [{"$ref": "#/servers/kafka"}],
            "messages": {"state": {"$ref": "#/components/messages/state"}},
            "bindings": {"kafka": {"topic": f"{prefix}state", "partitions": 1}},
        },
        **{f"state.{view}": _versions(prefix, view) for view in DOCUMENTS},
    }


def messages() -> dict[str, Document]:
    """What is sent there."""
    return {"state": _standing(), **{f"state.{view}": _document(view) for view in DOCUMENTS}}


def shapes_of_documents() -> dict[str, Document]:
    """What messages refer to."""
    reference = "#/components/schemas/{name}/schema"
    _, components = msgspec.json.schema_components(DOCUMENTS.values(), ref_template=reference)
    return {name: {"schemaFormat": SCHEMA_FORMAT, "schema": one} for name, one in components.items()}


def _versions(prefix: str, view: str) -> Document:
    return {
        "address": f"{prefix}state.{view}.v{{version}}",
        "description": f"Compacted: each document of one version of the view {view}, as it is now. A record"
        " without a value: the document is gone. The record with the empty key says up to which position.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "parameters": {"version": {"description": "The one that the topic `state` names."}},
        "messages": {f"state.{view}": {"$ref": f"#/components/messages/state.{view}"}},
        "bindings": {"kafka": {"partitions": 1}},
    }


def _standing() -> Document:
    return {
        "name": "state",
        "title": "Which version of a view is read",
        "summary": "`pointer` is null while none is.",
        "contentType": "application/json",
        "payload": {
            "type": "object",
            "properties": {
                "pointer": {
                    "type": ["object", "null"],
                    "properties": {"version": {"type": "integer"}},
                    "required": ["version"],
                }
            },
            "required": ["pointer"],
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": "The view."}}},
    }


def _document(view: str) -> Document:
    shape = DOCUMENTS[view]
    reference = f"#/components/schemas/{shape.__name__}/schema"
    return {
        "name": f"state.{view}",
        "title": f"A document of the view {view}",
        "summary": meaning(shape),
        "contentType": "application/json",
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": {"$ref": reference}},
        "bindings": {"kafka": {"key": {"type": "string", "description": "The document's key."}}},
    }
