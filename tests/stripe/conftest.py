"""Stripe for tests: the real library speaks over a socket to stripe-mock and the sandbox's books."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.gateways.sandbox.books import Books
from tests.prerequisites import missing
from tests.stripe import mock
from tests.stripe.face import Face, serving


@pytest.fixture(scope="session")
def stripe_mock() -> Iterator[str]:
    """The address of a stripe-mock. Whatever keeps one from being built or from starting fails the tests."""
    program = mock.build()
    if program is None:
        missing("go (stripe-mock is built with it)")
    with mock.running(program) as url:
        yield url


@pytest.fixture
def face(stripe_mock: str, tmp_path: Path) -> Iterator[Face]:
    """Stripe's API over fresh books, by the real clock."""
    books = Books(tmp_path / "stripe.sqlite")
    with serving(books, stripe_mock) as face:
        yield face
    books.close()
