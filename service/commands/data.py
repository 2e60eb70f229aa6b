"""Commands that take data in and give it out: import, score, backtest, export."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from listeners.file_columns import Columns
from listeners.files import FileImport
from platforms.tables import TableError, TableWriter, format_of, open_table
from service.commands.terminal import bytes_progress, err, open_services, out
from store import exports

Column = Annotated[str | None, typer.Option(help="Name of the column.", show_default=False)]


def import_(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL, Parquet or XLSX.", exists=True)],
    brand: Annotated[str | None, typer.Option(help="Brand of rows that name none.")] = None,
    brand_column: Column = None,
    platform: Annotated[str, typer.Option(help="Platform the posts come from.")] = "file",
    namespace: Annotated[
        str, typer.Option(help="Part of the platform within which ids are unique.")
    ] = "",
    text_column: Column = None,
    time_column: Column = None,
    id_column: Column = None,
    author_column: Column = None,
    author_name_column: Column = None,
    followers_column: Column = None,
    platform_column: Column = None,
    direction_column: Column = None,
    in_reply_to_column: Column = None,
    conversation_column: Column = None,
    language_column: Column = None,
    url_column: Column = None,
    title_column: Column = None,
    likes_column: Column = None,
    reposts_column: Column = None,
    replies_column: Column = None,
    views_column: Column = None,
    time: Annotated[
        str | None, typer.Option(help="Moment of all rows, for a file without times.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="Zone of times without an offset.")] = "UTC",
    day_first: Annotated[
        bool | None, typer.Option(help="Read 03/04/2026 as 3 April (or as 4 March).")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding; guessed if not given.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Delimiter; guessed if not given.")] = None,
    rejects: Annotated[Path | None, typer.Option(help="Where bad rows are written.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Treat the posts as new: tickets, clocks, alerts.")
    ] = False,
) -> None:
    """Import posts from a file, as history unless --live is given. A second run adds nothing."""
    from service.imports import import_file

    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise TableError(
            f"--time-zone: {time_zone!r} is no time zone; use one like Asia/Shanghai."
        ) from error
    options = FileImport(
        columns=Columns(
            text=text_column,
            time=time_column,
            id=id_column,
            author=author_column,
            author_name=author_name_column,
            followers=followers_column,
            brand=brand_column,
            platform=platform_column,
            direction=direction_column,
            in_reply_to=in_reply_to_column,
            conversation=conversation_column,
            language=language_column,
            url=url_column,
            title=title_column,
            likes=likes_column,
            reposts=reposts_column,
            replies=replies_column,
            views=views_column,
        ),
        brand=brand,
        platform=platform,
        namespace=namespace,
        zone=zone,
        day_first=day_first,
        time=_moment(time, "--time") if time else None,
        encoding=encoding,
        delimiter=delimiter,
        rejects=rejects,
    )
    services = open_services()
    with bytes_progress(f"Importing {file.name}") as step:
        report = import_file(services, file, options, live=live, on_progress=step)
    stored = report.stored
    out.print(
        f"{stored.added:,} new, {stored.edited:,} changed, {stored.known:,} already there, "
        f"{report.rejected:,} rejected."
    )
    if report.new_brands:
        out.print(f"New brands: {', '.join(report.new_brands)}.", markup=False)
    if report.damaged_lines:
        err.print(
            f"{report.damaged_lines:,} lines hold bytes that the encoding does not know; "
            "give --encoding if the text looks wrong."
        )
    if report.rejects:
        err.print(f"Rows that could not be imported, with the reason: {report.rejects}")


def score(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Table to score.", exists=True)],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where the result goes.")],
    text_column: Annotated[str, typer.Option(help="Column that holds the text.")],
    model: Annotated[
        str | None,
        typer.Option(help="`bundled`, or a Hugging Face model by name or folder."),
    ] = None,
) -> None:
    """Add sentiment, intent, emotion, urgency and language to every row of a file."""
    from service import settings
    from service.scoring import score_file
    from service.wiring import load_model

    table = settings.load()
    format_of(target)
    loaded = load_model(model or table.model, table.threads or None)
    with bytes_progress(f"Scoring {source.name}") as step:
        rows = score_file(loaded, source, target, text_column, step)
    out.print(f"{rows:,} rows scored with {loaded.name}: {target}", markup=False)


def backtest(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Table of counts.", exists=True)],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where the result goes.")],
    time_column: Annotated[str, typer.Option(help="Column with the time of each row.")],
    value_column: Annotated[str, typer.Option(help="Column with the count of each row.")],
    brand_column: Annotated[
        str | None, typer.Option(help="Column that tells the brands apart.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Table of known events (start, end) to compare with.")
    ] = None,
) -> None:
    """Replay the alert on a file: adds anomaly_score (0..1) and alert (0/1) to every row."""
    import pandas as pd

    from crisis.backtest import BacktestError, backtest_frame, score_labels

    format_of(target)

    def read(path: Path) -> pd.DataFrame:
        with open_table(path) as table:
            return pd.DataFrame(
                [dict(row.cells) for chunk in table.chunks() for row in chunk],
                columns=table.columns,
            )

    try:
        frame = backtest_frame(read(source), time_column, value_column, brand_column)
        found = score_labels(frame, read(labels), time_column, brand_column) if labels else None
    except BacktestError as error:
        raise TableError(str(error)) from error
    with TableWriter(target, [str(name) for name in frame.columns]) as writer:
        writer.write(
            {str(name): value for name, value in row.items()} for row in frame.to_dict("records")
        )
    out.print(f"{len(frame):,} rows, {int(frame['alert'].sum()):,} alerts: {target}", markup=False)
    if found is not None:
        delay = "none" if found.median_delay is None else str(found.median_delay)
        out.print(
            f"{found.caught} of {found.events} events caught, "
            f"{found.false_alerts_per_day:.3f} false alerts per brand and day, "
            f"median delay {delay}."
        )


def export(
    kind: Annotated[str, typer.Argument(help="mentions, tickets, trends or incidents.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="CSV, JSONL, Parquet or XLSX.")],
    brand: Annotated[
        list[str] | None, typer.Option(help="Only this brand; may be given several times.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="From this day or moment on (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Before this day or moment (UTC).")] = None,
) -> None:
    """Write mentions, tickets, trends or incidents to a file. Formulas in texts are disarmed."""
    if kind not in exports.KINDS:
        raise typer.BadParameter(f"choose one of: {', '.join(exports.KINDS)}", param_hint="KIND")
    format_of(target)
    columns, rows = exports.KINDS[kind]
    services = open_services()
    count = 0
    with services.store.read() as session:
        what = exports.Filter(
            brands=exports.brand_ids(session, brand or []),
            since=_moment(since, "--since") if since else None,
            until=_moment(until, "--until") if until else None,
        )
        spreadsheet = format_of(target) in {"csv", "tsv", "xlsx"}
        with TableWriter(target, list(columns), safe_for_spreadsheets=spreadsheet) as writer:
            for row in rows(session, what):
                writer.write([row])
                count += 1
    out.print(f"{count:,} {kind}: {target}", markup=False)


def _moment(text: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise TableError(
            f"{option}: {text!r} is no time; write 2026-03-02 or 2026-03-02T09:00:00+08:00."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
