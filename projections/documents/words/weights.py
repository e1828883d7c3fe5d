"""How much each way of having a word counts: the same in every engine.

Weights of tokens multiply their BM25 score, k1 1.2 and b 0.75, with the factor k1 + 1; what is only begun or
differs by a slip scores just its weight. The parts of a ranking are added to the words' scores, and are so
far apart that no sum of the lower reaches the next.
"""

from __future__ import annotations

WRITTEN = 5.0
"""Of a word of the title as it was typed, above its other forms."""
STEMS = {"title_stems": 4.0, "labels_stems": 1.5, "description_stems": 1.0}
JOINED = 3.0
CODE = 20.0
INSTEAD = 0.8
BEGUN = {"title": 0.6, "labels": 0.3}
CODE_PART = 0.3
SLIP = {"title": 0.4, "labels": 0.2}
TIE = 0.1
"""Of the other fields that have the word too."""

TIER = 20_000.0
CODES = {"codes": 500.0, "code_parts": 300.0}
"""For each character of a code with a digit in it: then no word of a title is meant."""
CODE_BEGUN = 400.0
"""The same, of a code that begins with it."""
CODE_LENGTH_MAX = 8
WHOLE = 2_500.0
IN_TITLE = 1_000.0
"""All words in the title, which says what the product is; a description says more."""
AS_WRITTEN = 400.0
"""All words in the title as they were typed, above their other forms."""
POPULARITY = 4.0
"""For each level, of what has AS_WRITTEN: only products that have the words alike are ranked by it."""
SUGGESTED_POPULARITY = 100.0
"""The same while typing: above how the title has the words."""

SLIPS_BELOW = 10
"""Products that have the words as typed or begun; with so many, nobody asks for slips."""
