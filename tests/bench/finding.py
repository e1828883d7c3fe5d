"""What search finds, and what it costs: `python -m tests.bench finding`.

Queries are derived from a catalogue with a fixed seed, so that what should be found is known: every product
whose title has what was asked. A class of queries has one measure: MRR where one product was meant, NDCG@10
where several fit, recall@10 for SKUs. A search is one with its page of ten and its facets, and costs CPU of
this thread; with Elasticsearch it is the time that passes. BENCH_ENGINES names the engines that are measured.
Each is measured twice: after an order of every product, and after many of some, since popularity must cost
nothing.

Then what a shopper who types a title letter by letter is suggested, in a shop of 10,000 products.
"""

from __future__ import annotations

import csv
import os
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import NamedTuple

import msgspec

from aggregates.orders.events import OrderPlaced
from projections.documents.search import ProductQuery
from tests.bench.catalogues import LIVOSTYLE, catalogues, workshop
from tests.bench.engines import ENGINES, Place, engine_place
from tests.bench.sold import Sold
from tests.shop.elasticsearch_shop import ElasticsearchShop
from tests.shop.facts import listed, placed
from tests.shop.views import SearchShop, TantivyShop

QUERIES = int(os.environ.get("BENCH_QUERIES", "150"))
"""Of each class."""

PHRASES = LIVOSTYLE.parents[1] / "wands_queries/query_even.tsv"
SEEN = 10

_RAW_WORD = re.compile(r"[\w'’/\"-]+")
_UNIT = re.compile(r"(\d+(?:[.,/]\d+)?)\s?(\"|in|mm|cm|GB|TB|V|W|ft|kg|ml|m|Hz)(?![\w])")
_OTHERWISE = {
    '"': [" inch", " in", "-inch", "in"],
    "in": ['"', " inches"],
    "GB": [" gb", " GB", "gb"],
    "TB": [" tb", "TB"],
}


class Asked(NamedTuple):
    """A query, and the SKUs that it should find."""

    words: str
    wanted: frozenset[str]


Measure = Callable[[list[str], frozenset[str]], float]


def reciprocal_rank(found: list[str], wanted: frozenset[str]) -> float:
    """1 / the rank of the first that is wanted; 0 where none is among those found."""
    return next((1 / rank for rank, sku in enumerate(found, 1) if sku in wanted), 0.0)


def ndcg(found: list[str], wanted: frozenset[str]) -> float:
    """Normalized discounted cumulative gain of the first ten, each wanted one worth 1."""
    gain = sum(1 / log2(rank + 1) for rank, sku in enumerate(found[:SEEN], 1) if sku in wanted)
    return gain / sum(1 / log2(rank + 1) for rank in range(1, min(len(wanted), SEEN) + 1))


def recall(found: list[str], wanted: frozenset[str]) -> float:
    """How many of the wanted are among the first ten, of those that could be."""
    return len(wanted.intersection(found[:SEEN])) / min(len(wanted), SEEN)


class Classes:
    """The classes of queries derived from a catalogue."""

    def __init__(self, sold: list[Sold], seed: int = 5) -> None:
        self._sold = sold
        self._chance = random.Random(seed)
        self._words = {product.sku: _words(product.title) for product in sold}
        self._with_parts = {
            sku: {*words, *(part for word in words for part in re.split("[-/]", word))}
            for sku, words in self._words.items()
        }

    def all(self) -> Iterator[tuple[str, float, Measure, Iterator[Asked]]]:
        """Name, target, measure, queries."""
        yield "whole title", 0.98, reciprocal_rank, self._titles(lambda title: title)
        yield "whole title, one slip", 0.95, reciprocal_rank, self._titles(self._with_slip)
        yield "three words", 0.95, ndcg, self._three(" ".join)
        yield "three words, the third begun", 0.9, ndcg, self._three(self._begun)
        yield "three words and one unknown", 0.9, ndcg, self._three(self._unknown)
        yield "unit written otherwise", 0.9, reciprocal_rank, self._titles(self._unit)
        yield "hyphened word joined", 0.9, reciprocal_rank, self._titles(self._unhyphened)
        yield "two words as one", 0.9, ndcg, self._joined()
        yield "one word as two", 0.9, ndcg, self._parted()
        yield "SKU", 0.98, recall, self._skus(lambda sku: sku)
        yield "SKU in other case", 0.98, recall, self._skus(lambda sku: sku.swapcase())
        yield "SKU without hyphens", 0.98, recall, self._skus(lambda sku: sku.replace("-", ""))
        yield "SKU in parts", 0.98, recall, self._skus(lambda sku: sku.replace("-", " ").lower())
        yield "SKU begun", 0.98, recall, self._skus(lambda sku: sku[:-2], begun=True)
        yield "SKU beside a word", 0.98, recall, self._beside()

    def _drawn(self) -> Iterator[Sold]:
        return iter(self._chance.sample(self._sold, len(self._sold)))

    def _titles(self, written: Callable[[str], str | None]) -> Iterator[Asked]:
        alike: dict[str, set[str]] = {}
        for product in self._sold:
            alike.setdefault(product.title.casefold(), set()).add(product.sku)
        for product in self._drawn():
            text = written(product.title)
            if text is not None:
                yield Asked(text, frozenset(alike[product.title.casefold()]))

    def _three(self, written: Callable[[list[str]], str]) -> Iterator[Asked]:
        for product in self._drawn():
            words = list(dict.fromkeys(filter(_is_telling, self._words[product.sku])))
            if len(words) >= 3:
                places = sorted(self._chance.sample(range(len(words)), 3))
                three = [words[place] for place in places]
                yield Asked(written(three), self._with_words(three))

    def _with_words(self, words: Iterable[str]) -> frozenset[str]:
        wanted = set(words)
        return frozenset(sku for sku, of_title in self._with_parts.items() if wanted <= of_title)

    def _begun(self, words: list[str]) -> str:
        last = words[2]
        return f"{words[0]} {words[1]} {last[: max(2, len(last) - self._chance.randint(1, 3))]}"

    def _unknown(self, words: list[str]) -> str:
        unknown = "".join(self._chance.choice("qxzjvk") for _ in range(7))
        return " ".join(self._chance.sample([*words, unknown], 4))

    def _with_slip(self, title: str) -> str | None:
        words = title.split()
        long = [number for number, word in enumerate(words) if len(word) >= 4 and word.isalpha()]
        if not long:
            return None
        number = self._chance.choice(long)
        word, place = words[number], self._chance.randrange(1, len(words[number]) - 1)
        letter = self._chance.choice("aeiorstn")
        words[number] = self._chance.choice(
            [
                word[:place] + word[place + 1 :],
                word[:place] + letter + word[place:],
                word[:place] + letter + word[place + 1 :],
                word[:place] + word[place + 1] + word[place] + word[place + 2 :],
            ]
        )
        return " ".join(words)

    def _unit(self, title: str) -> str | None:
        found = _UNIT.search(title)
        if found is None:
            return None
        unit = str(found[2])
        ways = _OTHERWISE.get(unit, [f" {unit.lower()}", unit.upper() if len(unit) > 1 else unit])
        ways = [way for way in ways if found[1] + way != found[0]]
        return f"{title[: found.start()]}{found[1]}{self._chance.choice(ways)}{title[found.end() :]}"

    def _unhyphened(self, title: str) -> str | None:
        return title.replace("-", "") if re.search(r"\w-\w", title) else None

    def _joined(self) -> Iterator[Asked]:
        for product in self._drawn():
            words = self._words[product.sku]
            pairs = [n for n in range(len(words) - 1) if words[n].isalpha() and words[n + 1].isalpha()]
            if not pairs:
                continue
            at = self._chance.choice(pairs)
            others = [w for n, w in enumerate(words) if n not in (at, at + 1) and _is_telling(w)]
            if not others:
                continue
            other = self._chance.choice(others)
            wanted = {
                sku
                for sku, of_title in self._words.items()
                if other in of_title and (words[at], words[at + 1]) in pairwise(of_title)
            }
            yield Asked(f"{other} {words[at]}{words[at + 1]}", frozenset(wanted))

    def _parted(self) -> Iterator[Asked]:
        for product in self._drawn():
            words = self._words[product.sku]
            long = [word for word in words if len(word) >= 6 and word.isalpha()]
            if not long:
                continue
            word = self._chance.choice(long)
            place = self._chance.randint(3, len(word) - 3)
            others = [one for one in words if one != word and _is_telling(one)]
            if not others:
                continue
            other = self._chance.choice(others)
            yield Asked(f"{word[:place]} {word[place:]} {other}", self._with_words([word, other]))

    def _skus(self, written: Callable[[str], str], *, begun: bool = False) -> Iterator[Asked]:
        for product in self._drawn():
            text = written(product.sku)
            wanted = {product.sku}
            if begun:
                wanted = {one.sku for one in self._sold if one.sku.startswith(text)}
            yield Asked(text, frozenset(wanted))

    def _beside(self) -> Iterator[Asked]:
        for product in self._drawn():
            word = self._chance.choice(self._words[product.sku])
            yield Asked(f"{product.sku} {word}", frozenset({product.sku}))


def main() -> None:
    """The table of each catalogue, and the phrases of another shop."""
    for engine in ENGINES:
        with engine_place(engine) as place:
            print(engine)
            _catalogues(place)
            _suggestions(place)


def new_shop(place: Place) -> SearchShop:
    """An empty one there."""
    if place.elasticsearch_url is None:
        return TantivyShop(Path(tempfile.mkdtemp(dir=place.folder)) / "index")
    return ElasticsearchShop(place.elasticsearch_url)


def _catalogues(place: Place) -> None:
    for name, sold in catalogues():
        shop = new_shop(place)
        _table(shop, name, sold)
        shop.close()


def _table(shop: SearchShop, name: str, sold: list[Sold]) -> None:
    started = time.process_time()
    shop.happens(*map(listing, sold))
    cost = (time.process_time() - started) / len(sold)
    print(f"{name}: {len(sold)} products, {cost * 1e3:.2f} ms each to index")
    shop.happens(*(placed(f"first {one.sku}", one.sku) for one in sold))
    before = _means(shop, sold)
    shop.happens(*_orders(sold))
    seconds: list[float] = []
    for kind, target, measure, values, own in _measured(shop, sold):
        seconds += own
        found = f"{before[kind]:.3f}, {statistics.mean(values):.3f}"
        mark = "" if min(before[kind], statistics.mean(values)) >= target else f"  below {target}"
        costs = f"p50 {_ms(own, 0.5)}  p95 {_ms(own, 0.95)}"
        print(f"  {kind:32} {measure.__name__:16} {found}  {costs}{mark}")
    print(f"  A search, all classes: p50 {_ms(seconds, 0.5)}, p95 {_ms(seconds, 0.95)}")
    _phrases(shop)


def _means(shop: SearchShop, sold: list[Sold]) -> dict[str, float]:
    return {kind: statistics.mean(values) for kind, _, _, values, _ in _measured(shop, sold)}


def _measured(
    shop: SearchShop, sold: list[Sold]
) -> Iterator[tuple[str, float, Measure, list[float], list[float]]]:
    """Name, target, measure, its values, seconds of CPU; without classes that the catalogue has none of."""
    for kind, target, measure, queries in Classes(sold).all():
        values, own = [], []
        for asked, _ in zip(queries, range(QUERIES), strict=False):
            found, cost = _searched(shop, asked.words)
            own.append(cost)
            values.append(measure(found, asked.wanted))
        if values:
            yield kind, target, measure, values, own


def _orders(sold: list[Sold]) -> Iterator[OrderPlaced]:
    """The units that were ordered, or where nobody knows, of a few products many and of many few."""
    chance = random.Random(7)
    for number, product in enumerate(sold):
        units = product.units if product.units is not None else int(chance.paretovariate(0.5))
        yield placed(str(number), product.sku, min(max(units, 1), 1_000_000))


def _phrases(shop: SearchShop) -> None:
    if PHRASES.exists():
        with PHRASES.open(encoding="utf-8") as lines:
            phrases = [row["query"] for row in csv.DictReader(lines, delimiter="\t")]
        costs = [_searched(shop, phrase)[1] for phrase in phrases]
        print(f"  {len(phrases)} phrases, no error: p50 {_ms(costs, 0.5)}, p95 {_ms(costs, 0.95)}")


def _suggestions(place: Place, size: int = 10_000) -> None:
    sold = workshop(size, seed=29)
    chance = random.Random(3)
    shop = new_shop(place)
    shop.happens(*map(listing, sold), *_orders(sold))
    costs: dict[str, list[float]] = {}
    shown = 0
    for product in chance.sample(sold, QUERIES):
        for end in range(1, len(product.title) + 1):
            started = _clock(shop)
            items = shop.reader.suggest(product.title[:end], limit=SEEN).items
            own = _clock(shop) - started
            costs.setdefault("one letter" if end == 1 else "two" if end == 2 else "more", []).append(own)
        shown += product.sku in {item.sku for item in items}
    shop.close()
    print(f"suggestions, {size} products: the title typed to its end shows it {shown / QUERIES:.3f}")
    for kind, seconds in costs.items():
        print(f"  {kind:32} {len(seconds)} times  p50 {_ms(seconds, 0.5)}  p95 {_ms(seconds, 0.95)}")


def _searched(shop: SearchShop, words: str) -> tuple[list[str], float]:
    started = _clock(shop)
    page = shop.reader.search(ProductQuery(words=words, sort="relevance"), limit=SEEN)
    cost = _clock(shop) - started
    return [msgspec.json.decode(item)["sku"] for item in page.items], cost


def _clock(shop: SearchShop) -> float:
    """Seconds of this thread's CPU; where a server does the work, of the time that passes."""
    return time.thread_time() if isinstance(shop, TantivyShop) else time.perf_counter()


def _ms(seconds: list[float], share: float) -> str:
    return f"{sorted(seconds)[int(len(seconds) * share)] * 1e3:.2f} ms"


def _is_telling(word: str) -> bool:
    """Neither a number, nor a unit, nor a part of either: `1.5 kg` is cut into three here."""
    return len(word) > 2 and word.isalpha()


def _words(title: str) -> list[str]:
    return [word.strip("'’\"/").casefold() for word in _RAW_WORD.findall(title) if word.strip("'’\"/-")]


def listing(product: Sold) -> object:
    """The event by which the product goes on sale."""
    return listed(
        product.sku,
        product.title,
        category=product.category,
        description=product.description,
        **product.attributes,
    )
