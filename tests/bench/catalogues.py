"""Catalogues that relevance is measured on: two real shops', two made up of other kinds, the sample."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from deploy.sample.products import sample_products
from tests.bench.delicatessen import delicatessen
from tests.bench.sold import Sold

_DATASETS = Path(os.environ.get("DAYBOOK_DATASETS", "../shared/data"))
LIVOSTYLE = _DATASETS / "livostyle_catalog/products.jsonl.gz"
ONLINE_RETAIL = _DATASETS / "online_retail/online_retail.csv.gz"

_ENGLISH_THINGS = [
    "Cordless Drill",
    "Impact Driver",
    "Circular Saw",
    "Angle Grinder",
    "Orbital Sander",
    "Heat Gun",
    "Bench Vise",
    "Socket Set",
    "Claw Hammer",
    "Tape Measure",
    "Toolbox",
    "Workbench",
    "Flashlight",
    "Extension Cord",
    "Power Strip",
    "Soundbar",
    "Headphones",
    "Keyboard",
    "Touchscreen Monitor",
    "Memory Card",
    "Hard Drive",
    "Network Switch",
    "Power Bank",
    "Webcam",
    "Wi-Fi Router",
    "E-Reader",
    "Car Charger",
    "Smoke Detector",
    "Doorbell Camera",
    "Light Bulb",
    "Hose Fitting",
    "Ball Valve",
    "Pipe Wrench",
    "Anti-Slip Mat",
    "Self-Tapping Screws",
    "Wall Plugs",
    "Cable Ties",
    "Paint Roller",
    "Spray Gun",
    "Stepladder",
]
_ENGLISH_KINDS = [
    "Heavy-Duty",
    "Compact",
    "Brushless",
    "Waterproof",
    "Stainless Steel",
    "Galvanized",
    "Portable",
    "Wireless",
    "Low-Noise",
    "Foldable",
    "Magnetic",
    "Insulated",
    "Rechargeable",
    "Two-Speed",
    "Quick-Release",
    "Professional",
    "Children's",
    "Left-Handed",
]
_MAKERS = [
    "Norvik",
    "Hallam",
    "Tessera",
    "Oakfield",
    "Brandt & Söhne",
    "Kestrel",
    "Vantage",
    "Lumière",
    "Morita",
    "Ardent",
]
_UNITS = [
    '55"',
    '27"',
    '1/2"',
    "3/8 in",
    "10mm",
    "25 mm",
    "128GB",
    "512 GB",
    "2TB",
    "18V",
    "20V",
    "5 m",
    "10 ft",
    "750W",
    "1.5 kg",
    "500 ml",
    "60Hz",
]
_GERMAN_THINGS = [
    "Teekanne",
    "Kaffeemühle",
    "Brotkasten",
    "Wasserkocher",
    "Schneidebrett",
    "Küchenwaage",
    "Gewürzregal",
    "Blumentopf",
    "Gießkanne",
    "Gartenschere",
    "Nachttischlampe",
    "Wäschekorb",
    "Bücherregal",
    "Schuhschrank",
    "Türstopper",
    "Handtuchhalter",
]
_GERMAN_KINDS = [
    "aus Edelstahl",
    "aus Eichenholz",
    "mit Deckel",
    "für Kinder",
    "rostfrei",
    "klappbar",
    "spülmaschinenfest",
    "groß",
    "weiß",
    "grün",
]
_JAPANESE_THINGS = [
    "有田焼茶碗セット",
    "南部鉄器急須",
    "漆塗りお椀",
    "檜まな板",
    "抹茶茶筅",
    "備前焼湯呑み",
    "今治タオル",
    "風呂敷",
    "和紙便箋",
    "竹製箸置き",
]
_JAPANESE_KINDS = ["小", "大", "五客", "夫婦", "木箱入り", "日本製", "限定品", "手作り"]


def catalogues() -> Iterator[tuple[str, list[Sold]]]:
    """Each with its name: real shops', or the sample where the first is not there; then what is made up."""
    if LIVOSTYLE.exists():
        yield "livostyle", _livostyle()
    else:
        yield f"the sample ({LIVOSTYLE} is not there)", _sample()
    if ONLINE_RETAIL.exists():
        yield "online retail", _online_retail()
    yield "workshop", workshop(3_000, seed=11)
    yield "delicatessen", delicatessen(3_000, seed=23)


def workshop(size: int, *, seed: int) -> list[Sold]:
    """Tools and electronics with codes and units, German housewares, Japanese tableware."""
    chance = random.Random(seed)
    made: dict[str, Sold] = {}
    while len(made) < size:
        number = len(made)
        kind = chance.random()
        if kind < 0.7:
            sold = _english(number, chance)
        elif kind < 0.9:
            thing = chance.choice(_GERMAN_THINGS)
            title = f"{thing} {' '.join(chance.sample(_GERMAN_KINDS, 2))} {chance.choice(_UNITS)}"
            sold = Sold(f"DE-{number:04}", title, "Haushalt > Küche", f"{thing}, {chance.choice(_MAKERS)}.")
        else:
            thing = chance.choice(_JAPANESE_THINGS)
            title = f"{thing} {' '.join(chance.sample(_JAPANESE_KINDS, 2))}"
            sold = Sold(f"JP-{number:04}", title, "食器", f"{thing}。{chance.choice(_JAPANESE_KINDS)}。")
        made.setdefault(sold.title, sold)
    return list(made.values())


def _english(number: int, chance: random.Random) -> Sold:
    thing, maker = chance.choice(_ENGLISH_THINGS), chance.choice(_MAKERS)
    model = f"{chance.choice('HKTVX')}{chance.choice('XRSQ')}-{chance.randint(100, 999)}"
    words = [maker, *chance.sample(_ENGLISH_KINDS, 2), thing]
    if chance.random() < 0.8:
        words.append(chance.choice(_UNITS))
    if chance.random() < 0.3:
        words.append(model)
    description = (
        f"A {chance.choice(_ENGLISH_KINDS).lower()} {thing.lower()} for the workshop. Model {model}."
    )
    attributes = {"maker": maker, "color": chance.choice(["black", "yellow", "blue", "red"])}
    return Sold(f"{model}-{number:04}", " ".join(words), f"Tools > {thing}", description, attributes)


def _livostyle() -> list[Sold]:
    with gzip.open(LIVOSTYLE, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Sold(
            f"LV{row['handle'][0].upper()}-{int(row['id']) % 100_000:05}-{number:04}",
            row["title"],
            row["category_full_path"] or "Other",
            row["description"],
            {"type": row["product_type"]} if row["product_type"] else {},
        )
        for number, row in enumerate(rows)
    ]


def _online_retail() -> list[Sold]:
    """What a gift shop invoiced in a year: no categories, no descriptions, but the units ordered."""
    titles: dict[str, Counter[str]] = {}
    units: Counter[str] = Counter()
    with gzip.open(ONLINE_RETAIL, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            sku, title, quantity = row["StockCode"].strip(), row["Description"].strip(), int(row["Quantity"])
            if sku[:1].isdigit() and title.isupper() and quantity > 0 and float(row["UnitPrice"]) > 0:
                titles.setdefault(sku, Counter())[title] += 1
                units[sku] += quantity
    return [
        Sold(sku, seen.most_common(1)[0][0].capitalize(), "Gifts", "", units=units[sku])
        for sku, seen in titles.items()
    ]


def _sample() -> list[Sold]:
    return [
        Sold(product.sku, product.title, product.category, product.description, product.attributes)
        for product in sample_products()
    ]
