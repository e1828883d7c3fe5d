"""Everything the sample shop sells."""

from __future__ import annotations

from commands.sample.articles import Article
from commands.sample.desk import DESK
from commands.sample.home import HOME
from commands.sample.kitchen import KITCHEN
from commands.sample.outdoors import OUTDOORS
from commands.sample.pantry import PANTRY


def assortment() -> list[Article]:
    """The 200 articles, in the order of their shelves."""
    return [
        article
        for shelf in (KITCHEN, HOME, OUTDOORS, DESK, PANTRY)
        for each in shelf
        for article in each.articles()
    ]
