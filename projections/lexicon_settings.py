"""The settings of search's words: environment variables with the prefix `DAYBOOK_SEARCH_`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from projections.documents.words.lexicon import Lexicon, read_lexicon


class LexiconSettings(BaseSettings):
    """Language, synonyms, compounds: docs/search.md. `DAYBOOK_SEARCH_LANGUAGE=german` sets `language`."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_SEARCH_", frozen=True)

    language: str = "english"
    """Of word forms and little words; `none` for neither."""
    synonyms: Path | None = None
    """A file: a line `sofa, couch` makes both alike, `mug => cup` finds cups too."""
    compounds: Path | None = None
    """A file of the words that longer words are made of, a word a line."""

    @cached_property
    def lexicon(self) -> Lexicon:
        """The lexicon of these settings."""
        return read_lexicon(self.language, self.synonyms, self.compounds)

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        """LexiconError is a ValueError: a wrong setting is refused where the process starts."""
        read_lexicon(self.language, self.synonyms, self.compounds)
        return self
