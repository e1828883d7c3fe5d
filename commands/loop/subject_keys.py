"""The subjects' keys that decisions seal under, as the log was last seen to hold them.

None of it need be right: an entry names every key that it was sealed under, and the append refuses it where
the log has another one, or none. Then the key is forgotten here and asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from event_store.keys import new_subject_key

KEYS_MAX = 100_000


@dataclass(slots=True)
class _CachedKey:
    key: bytes
    saved: bool  # the log had it


class SubjectKeys:
    """Keys by subject."""

    def __init__(self, keys_max: int = KEYS_MAX) -> None:
        self._keys_max = keys_max
        self._keys: dict[str, _CachedKey] = {}
        self._in_doubt: set[str] = set()

    def __contains__(self, subject: str) -> bool:
        return subject in self._keys

    def __getitem__(self, subject: str) -> bytes:
        return self._keys[subject].key

    def learn(self, subjects: Iterable[str], found: Mapping[str, bytes]) -> None:
        """Notes the keys that the log has, and makes one for each subject that has none anywhere."""
        for subject in subjects:
            self._in_doubt.discard(subject)
            key, cached = found.get(subject), self._keys.get(subject)
            if key is not None:
                self._keys[subject] = _CachedKey(key, saved=True)
            elif cached is None or cached.saved:  # One that the log had is never brought back.
                self._keys[subject] = _CachedKey(new_subject_key(), saved=False)

    def split(self, used: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """The keys that an entry brings, and those that the log is thought to have."""
        brought = {subject: key for subject, key in used.items() if not self._keys[subject].saved}
        return brought, {subject: key for subject, key in used.items() if subject not in brought}

    def note_saved(self, brought: Mapping[str, bytes]) -> None:
        """The log has these now."""
        for subject, key in brought.items():
            cached = self._keys.get(subject)
            if cached is not None and cached.key == key:
                cached.saved = True

    def forget(self, subjects: Iterable[str]) -> None:
        """Drops keys that nobody is likely to ask for again, or that may have been destroyed meanwhile."""
        for subject in subjects:
            self._keys.pop(subject, None)

    def doubt(self, subjects: Iterable[str]) -> None:
        """Drops keys that are not the log's; the log's are to be read."""
        for subject in subjects:
            self._keys.pop(subject, None)
            self._in_doubt.add(subject)

    def is_in_doubt(self, subject: str) -> bool:
        """Whether the log's key is to be read, even for a new stream."""
        return subject in self._in_doubt

    def forget_all(self) -> None:
        """Drops every key: the log may have others."""
        self._keys.clear()
        self._in_doubt.clear()

    def trim(self) -> None:
        """Forgets everything where it has become much. Between batches only: a batch keeps to its keys."""
        if len(self._keys) > self._keys_max:
            self.forget_all()
