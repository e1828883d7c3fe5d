"""What nobody types who looks for a product: for the tests of search, with and without HTTP."""

from __future__ import annotations

HOSTILE = (
    "a" * 10_000,
    "mug " * 2_500,
    "茶碗" * 2_000,
    "(a+)+$" * 60,
    ".*" * 200,
    "[[:alpha:]]{1,9}" * 20,
    "/.*[^m]*mug~99/",
    "title:mug AND (kind:hidden OR *:*)",
    'mug~2 ^1000 \\\\ + - && || ! ( ) { } [ ] ^ " ~ * ? : /',
    "[* TO *] OR sku:{A TO Z}",
    '{"query":{"match_all":{}}}',
    '"}}}, {"script_score": {"script": {"source": "while(true){}"}}}',
    '\n{}\n{"query":{"match_all":{}}}\n',
    "mug'; DROP TABLE events;--",
    "@title:{mug} => [KNN 10]",
    "\x00\x1b[2J",
    "mug\r\nX-Injected: 1",
    "%_\\%",
    "\u202e\u200b\u0301" * 100,
    "e" + "\u0301" * 900,
    "\U0001f916\u200d" * 200,
    "a-" * 249,
    "1/2 " * 120,
    "9" * 400,
    "1e308 -1 99999999999999999999.5 mm 1/0",
    " ".join("qwertyuiop"[n % 9 :] for n in range(60)),
    " ".join(f"{'x' * 40}{n}" for n in range(25)),
    " ".join(f"K{n}X" for n in range(200)),
)
"""Operators of query languages, patterns that explode, controls, what is very long, deep or large."""

SECONDS_MAX = 10.0
"""On any machine: what explodes takes minutes."""
