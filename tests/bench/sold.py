"""A product of a catalogue that searches are measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sold:
    """A product; `units`: how many were ordered, None where nobody knows."""

    sku: str
    title: str
    category: str
    description: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    units: int | None = None
