"""What the sample shop sells: the 200 products in products.csv."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aggregates.pricing.rules import STANDARD

FILE = Path(__file__).with_name("products.csv")
FOOD = "food"
"""The tax category of what is eaten and drunk, sweets left out."""
FOODS = ("Pantry > Tea and coffee", "Pantry > Spreads", "Pantry > Oils and salt")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleProduct:
    """One product of the sample shop; its category is a path, `Kitchen > Mugs`."""

    sku: str
    title: str
    description: str
    category: str
    pence: int
    attributes: Mapping[str, str]

    @property
    def tax_category(self) -> str:
        """What its tax goes by."""
        return FOOD if self.category in FOODS else STANDARD

    @property
    def department(self) -> str:
        """The first of its categories."""
        return self.category.partition(" > ")[0]


def sample_products() -> list[SampleProduct]:
    """Every product, in the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return [
            SampleProduct(
                sku=row["sku"],
                title=row["title"],
                description=row["description"],
                category=row["category"],
                pence=int(row["pence"]),
                attributes=dict(pair.split("=") for pair in row["attributes"].split("; ") if pair),
            )
            for row in csv.DictReader(file)
        ]
