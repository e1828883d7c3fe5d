"""Everything the sample shop sells."""

from __future__ import annotations

from deploy.sample.articles import Article
from deploy.sample.desk import DESK
from deploy.sample.home import HOME
from deploy.sample.kitchen import KITCHEN
from deploy.sample.outdoors import OUTDOORS
from deploy.sample.pantry import PANTRY


def assortment() -> list[Article]:
    """The 200 articles, in the order of their shelves."""
    return [
        article
        for shelf in (KITCHEN, HOME, OUTDOORS, DESK, PANTRY)
        for each in shelf
        for article in each.articles()
    ]
