"""`daybook up` and `daybook demo`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from deploy.local.addresses import Addresses, data_folder
from projections.engine.partitions import PARTITIONS

DEMOS = ("sample", "retail", "retail-year")


@click.command("up")
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="Else DAYBOOK_DATA_DIR, or ./.daybook."
)
@click.option("--demo", type=click.Choice(["none", *DEMOS]), default="none", show_default=True)
@click.option(
    "--commands",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Command processes on the one port.",
)
@click.option(
    "--projectors",
    type=click.IntRange(1, PARTITIONS),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes that share the views' shards: 16 of each view, or DAYBOOK_PROJECTOR_SHARDS.",
)
@click.option(
    "--search",
    type=click.Choice(["embedded", "elasticsearch"]),
    default="embedded",
    show_default=True,
    help="What holds the search index; elasticsearch: a server of our own, with Java and Maven.",
)
@click.option(
    "--stream",
    type=click.Choice(["none", "kafka"]),
    default="none",
    show_default=True,
    help="Where events are published; kafka: a broker of our own, with Java and Maven.",
)
def up_command(
    data: Path | None, demo: str, commands: int, projectors: int, search: str, stream: str
) -> None:
    """Run PostgreSQL, Redis, the command, projector and query processes until Ctrl-C or SIGTERM.

    Each server whose address is given (DAYBOOK_POSTGRES_URL, DAYBOOK_REDIS_URL, DAYBOOK_ELASTICSEARCH_URL,
    DAYBOOK_KAFKA_BOOTSTRAP) is used instead of one of our own. What was written stays in the data folder; the
    next `up` goes on from there.

    Each process has a log in the data folder, all of them together at most 100 MB. DAYBOOK_LOG_LEVEL (debug,
    info, warning, error) is the lowest level that is written, DAYBOOK_ACCESS_LOG=true adds one for each
    request.
    """
    from deploy.edge.serving import raise_descriptors
    from deploy.local.settings import LocalSettings
    from deploy.local.supervision.system import Options, up
    from projections.view_settings import ViewSettings

    ViewSettings()  # refuses here what the projector could not start with
    if demo.startswith("retail") and not retail_file(demo).is_file():
        click.echo(f"daybook: {_missing(demo)}; the sample shop is taken instead", err=True)
        demo = "sample"
    raise_descriptors()
    options = Options(
        data=data_folder(data),
        demo=demo,
        commands=commands,
        projectors=projectors,
        search=search,
        stream=stream,
    )
    up(options, LocalSettings())


@click.command("demo")
@click.argument("name", type=click.Choice(DEMOS))
@click.pass_context
def demo_command(ctx: click.Context, name: str) -> None:
    """Fill the running shop: `sample` is the project's own; `retail` and `retail-year` are a real shop's
    first day and year, read from DAYBOOK_DATASETS, or the sample where they are not there."""
    addresses: Addresses = ctx.obj
    if name != "sample":
        file = retail_file(name)
        if file.is_file():
            from commands.importing.cli import import_group

            arguments = ["online-retail", str(file)]
            ctx.exit(import_group.main(args=arguments, obj=addresses, standalone_mode=False) or 0)
        click.echo(f"daybook: {_missing(name)}; the sample shop is taken instead", err=True)
    from deploy.local.sample import fill_shop

    fill_shop(addresses)


def retail_file(demo: str) -> Path:
    """Where the data set of that demo lies, if it is there."""
    given = os.environ.get("DAYBOOK_DATASETS")
    datasets = Path(given) if given else Path(__file__).parents[3] / ".." / "shared" / "data"
    names = {"retail": "online_retail_2010-12-01.csv.gz", "retail-year": "online_retail.csv.gz"}
    return (datasets / "online_retail" / names[demo]).resolve()


def _missing(demo: str) -> str:
    return f"{demo} needs {retail_file(demo)} (DAYBOOK_DATASETS names the folder of the data sets)"
