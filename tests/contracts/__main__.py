"""Compares the schemas and channels with those of the last release.

`python -m tests.contracts` tells what would break a consumer of events, and fails where nothing may any more.
`python -m tests.contracts release` keeps the present ones as those of a release.
"""

from __future__ import annotations

import sys

from tests.contracts.releases import keep_release, refused, released, since_release, version


def main() -> int:
    """The exit status."""
    if sys.argv[1:] == ["release"]:
        keep_release()
        print(f"kept what is promised by {version()}")
        return 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    findings = since_release()
    for one in findings:
        print(one)
    print(f"{len(findings)} differences since {released()['version']} that a consumer may stumble over")
    if refused(findings, version()):
        print("From 1.0.0 on nothing may break a consumer: keep what there was beside what is new.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
