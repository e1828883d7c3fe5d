"""docs/problems.md says what the code says."""

from tests.docs.problems import PAGE, problems_page


def test_the_problems_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == problems_page(), "run: python -m tests.docs.generate"
