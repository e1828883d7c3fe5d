"""Who may import whom, and which file may know which outside system."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

MAY_IMPORT: dict[str, set[str]] = {
    "aggregates": set(),  # the rules of the shop outlive every database and framework
    "event_store": set(),
    "commands": {"aggregates", "event_store"},
    "projections": {"aggregates", "event_store"},
    "replays": {"aggregates", "event_store", "projections"},
    "read_api": {"projections", "aggregates"},  # and there, only projections.documents, aggregates.pricing
}
PACKAGES = set(MAY_IMPORT)
HTTP = {
    ROOT / "commands" / "http",
    ROOT / "commands" / "providers",
    ROOT / "read_api",
    ROOT / "replays" / "contracts",
    ROOT / "replays" / "feed",
}
"""What answers HTTP requests, or sends them, may import deploy.edge: what both servers share."""
CONTEXTS = {
    "catalog",
    "cart",
    "inventory",
    "orders",
    "payments",
    "customers",
    "promotions",
    "terms",
    "credit",
    "visits",
    "webhooks",
}
OUTSIDE = {  # module: the word that a file importing it bears
    "psycopg": "postgres",
    "psycopg_pool": "postgres",
    "redis": "redis",
    "elasticsearch": "elasticsearch",
    "kafka": "kafka",
    "tantivy": "tantivy",
    "stripe": "stripe",
    "openpyxl": "openpyxl",
    "duckdb": "duckdb",
    "sqlite3": "sandbox",  # the sandbox gateway's ledger
}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(file: Path) -> Iterator[tuple[str, int]]:
    """Every module that the file imports, at its top or anywhere below, with the line."""
    for node in ast.walk(ast.parse(file.read_text(), filename=str(file))):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports name the whole path"
            assert node.module is not None
            # `from projections import runner` imports projections.engine.runner.
            yield node.module, node.lineno
            yield from ((f"{node.module}.{name.name}", node.lineno) for name in node.names)


def against(package: str, *, is_wrong: object) -> list[str]:
    assert callable(is_wrong)
    return [
        f"{file.relative_to(ROOT)}:{line} imports {module}"
        for file in sources(package)
        for module, line in imported(file)
        if is_wrong(file, module)
    ]


def top(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_packages_import_only_along_the_arrows(package: str) -> None:
    ours = PACKAGES | {"deploy", "daybook", "tests"}
    allowed = MAY_IMPORT[package] | {package}

    def is_wrong(file: Path, module: str) -> bool:
        at_the_edge = f"{module}.".startswith("deploy.edge.") and file.parent in HTTP
        return top(module) in ours - allowed and not at_the_edge

    assert sources(package), f"{package} has no files"
    assert against(package, is_wrong=is_wrong) == []


def test_the_edge_knows_nothing_of_the_shop() -> None:
    def is_wrong(_: Path, module: str) -> bool:
        inside = f"{module}.".startswith("deploy.edge.")
        return top(module) in PACKAGES | {"deploy", "daybook", "tests"} and not inside

    assert against("deploy/edge", is_wrong=is_wrong) == []


def test_aggregates_know_the_standard_library_only() -> None:
    allowed = sys.stdlib_module_names | {"aggregates"}
    assert against("aggregates", is_wrong=lambda _, module: top(module) not in allowed) == []


def test_aggregates_read_no_clock_no_chance_and_no_machine() -> None:
    impure = {"time", "random", "secrets", "os", "socket", "threading", "asyncio", "subprocess", "pathlib"}
    assert against("aggregates", is_wrong=lambda _, module: top(module) in impure) == []


def test_contexts_never_import_each_other() -> None:
    def crosses(file: Path, module: str) -> bool:
        here, there = context_of(file), module.split(".")
        return here is not None and len(there) > 1 and there[1] in CONTEXTS - {here}

    def context_of(file: Path) -> str | None:
        name = file.relative_to(ROOT / "aggregates").parts[0].removesuffix(".py")
        return name if name in CONTEXTS else None

    assert any(context_of(file) for file in sources("aggregates"))
    assert against("aggregates", is_wrong=crosses) == []


def test_pricing_knows_the_kernel_alone() -> None:
    def is_wrong(file: Path, module: str) -> bool:
        inside = file.is_relative_to(ROOT / "aggregates" / "pricing")
        allowed = ("aggregates.kernel.", "aggregates.currencies.", "aggregates.pricing.")
        return inside and top(module) in PACKAGES and not f"{module}.".startswith(allowed)

    assert against("aggregates", is_wrong=is_wrong) == []


def test_projections_fold_events_and_know_no_decision() -> None:
    """Of the aggregates they see the events, the kernel and what those two are made of."""
    decisions = {
        f"aggregates.{context}.{file.stem}"
        for context in CONTEXTS
        for file in (ROOT / "aggregates" / context).glob("*.py")
        if file.stem not in {"events", "__init__"}
    }
    assert decisions
    assert against("projections", is_wrong=lambda _, module: module in decisions) == []


def test_the_read_side_knows_documents_only() -> None:
    def is_wrong(_: Path, module: str) -> bool:
        return top(module) == "projections" and not f"{module}.".startswith("projections.documents.")

    # `from projections import documents` yields the package itself first; spell it whole instead.
    assert against("read_api", is_wrong=is_wrong) == []


def test_the_read_side_knows_the_choice_of_a_price_and_no_other_rule() -> None:
    """A market's price is chosen when its page is read, by the function that chooses it for carts."""
    chooses = {"market_prices.py": ("aggregates.pricing.", "aggregates.kernel.")}

    def is_wrong(file: Path, module: str) -> bool:
        return top(module) == "aggregates" and not f"{module}.".startswith(chooses.get(file.name, ("-",)))

    assert against("read_api", is_wrong=is_wrong) == []


def test_documents_import_nothing_of_ours_else() -> None:
    def is_wrong(_: Path, module: str) -> bool:
        inside = f"{module}.".startswith("projections.documents.")
        return top(module) in PACKAGES | {"deploy", "daybook"} and not inside

    assert against("projections/documents", is_wrong=is_wrong) == []


@pytest.mark.parametrize("package", [*sorted(PACKAGES), "deploy"])
def test_an_outside_system_is_known_only_where_its_name_stands(package: str) -> None:
    def is_wrong(file: Path, module: str) -> bool:
        word = OUTSIDE.get(top(module))
        return word is not None and word not in str(file.relative_to(ROOT))

    assert against(package, is_wrong=is_wrong) == []


def test_the_command_line_loads_a_package_only_when_asked() -> None:
    at_the_top = ast.parse((ROOT / "daybook.py").read_text()).body
    names = {
        top(name.name) if isinstance(node, ast.Import) else top(node.module or "")
        for node in at_the_top
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert names <= sys.stdlib_module_names | {"click"}
