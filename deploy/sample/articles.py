"""How the sample shop's products are written down: ranges of articles that differ in one thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One product of the sample shop."""

    sku: str
    title: str
    description: str
    category: str
    pence: int
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """What sets one article of a range apart: `name` ends its title and is an attribute's value."""

    code: str
    name: str
    text: str
    pence: int = 0  # more, or less, than the range's price


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Articles that share a name, a text and a price; `differs_in` is the attribute that tells them apart."""

    code: str
    name: str
    category: str
    pence: int
    text: str
    differs_in: str = "color"
    attributes: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()

    def articles(self) -> Iterator[Article]:
        """Each choice as a product of its own; a range without choices is one product."""
        if not self.choices:
            yield Article(
                sku=self.code,
                title=self.name,
                description=self.text,
                category=self.category,
                pence=self.pence,
                attributes=self.attributes,
            )
        for choice in self.choices:
            yield Article(
                sku=f"{self.code}-{choice.code}",
                title=f"{self.name}, {choice.name}",
                description=f"{self.text} {choice.text}",
                category=self.category,
                pence=self.pence + choice.pence,
                attributes={**self.attributes, self.differs_in: choice.name},
            )
