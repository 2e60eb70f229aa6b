"""Trends: how much was said, how it was meant, where and of whom; figures lead to posts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import streamlit as st

from dashboard import charts, exports, parts, terms
from dashboard.desk import Desk
from dashboard.hostile import one_line
from store import audit, source_setup, trends
from store.trends import Bin, Counts, Cube, Dimension, Slice, TrendFilter


@dataclass(frozen=True, slots=True)
class _Data:
    """What one page draws; read once, from rollups only."""

    bins: Sequence[Bin]
    now: Counts
    before: Counts
    complaints: Counts
    complaints_before: Counts
    platforms: Sequence[Slice]
    languages: Sequence[Slice]
    brands: Sequence[Slice]
    begins: datetime | None


def show(desk: Desk) -> None:
    """Draw the page."""
    st.title(desk.t("Trends"))
    if not desk.scope.rollup_keys:
        parts.empty(
            desk.t("No figures yet"),
            desk.t(
                "Here you will see how much is said about your brands, where, and how it is meant."
            ),
            desk.t("Add a brand under Brands & queries; figures appear as posts come in."),
        )
        return
    cube = _cube(desk.cache_key, _period(desk), desk)
    asked = _filters(desk, cube)
    data = _read(desk, asked, cube)
    if data.begins is None:
        parts.empty(
            desk.t("No figures yet"),
            desk.t("Nothing has been collected for this brand so far."),
            desk.t("Connect a source under Sources, or import a file with: groundswell import"),
        )
        return
    _gaps(desk)
    _figures(desk, asked, data)
    if not data.now.mentions:
        parts.empty(
            desk.t("Nothing was said in this period"),
            desk.t("No mention of this brand was posted between these dates with this filter."),
            desk.t("Choose a longer period or take the filter away."),
        )
        return
    st.subheader(desk.t("Volume by sentiment"))
    st.altair_chart(charts.volume(desk, data.bins), key="volume")
    st.altair_chart(charts.negative_share(desk, data.bins), key="negative-share")
    _breakdowns(desk, data)
    _table(desk, asked, data.bins)


def _gaps(desk: Desk) -> None:
    """Say which sources are silent: what they have not brought yet is not a quiet public."""
    with desk.store.read() as session:
        silent = source_setup.in_trouble(session, desk.scope.brand_ids)
    for name, since in silent[:3]:
        shown = one_line(name, 60)
        if since is None:
            said = desk.t("{source} has brought nothing yet: figures may be too low.", source=shown)
        else:
            said = desk.t(
                "{source} has brought nothing since {time}: figures after that may be too low.",
                source=shown,
                time=desk.formats.short(since, desk.now),
            )
        parts.notice(said, "warning")


def _filters(desk: Desk, cube: Cube) -> TrendFilter:
    with st.container(horizontal=True, key="trend-filters"):
        platforms = st.multiselect(
            desk.t("Platforms"), cube.values("platform"),
            format_func=lambda one: terms.platform(desk, one),
            placeholder=desk.t("All platforms"), label_visibility="collapsed", width=280,
        )  # fmt: skip
        languages = st.multiselect(
            desk.t("Languages"), cube.values("language"),
            format_func=lambda one: terms.language(desk, one),
            placeholder=desk.t("All languages"), label_visibility="collapsed", width=280,
        )  # fmt: skip
    return replace(_period(desk), platforms=tuple(platforms), languages=tuple(languages))


def _period(desk: Desk) -> TrendFilter:
    # The end moves with the clock; whole minutes let reruns share what was read.
    end = desk.period.end.replace(second=0, microsecond=0)
    start = min(desk.period.start, end)
    return TrendFilter(desk.scope.rollup_keys, start, end)


@st.cache_data(ttl=60, show_spinner=False, max_entries=100)
def _cube(
    readable: tuple[object, ...],  # noqa: ARG001 - keeps one reader's brands from another's
    asked: TrendFilter,
    _desk: Desk,
) -> Cube:
    with _desk.store.read() as session:
        return trends.cube(session, asked)


@st.cache_data(ttl=60, show_spinner=False, max_entries=100)
def _series(
    readable: tuple[object, ...],  # noqa: ARG001 - keeps one reader's brands from another's
    asked: TrendFilter,
    edges: tuple[datetime, ...],
    _desk: Desk,
) -> list[Bin]:
    with _desk.store.read() as session:
        return trends.series(session, asked, edges)


@st.cache_data(ttl=60, show_spinner=False, max_entries=100)
def _slices(
    readable: tuple[object, ...],  # noqa: ARG001 - keeps one reader's brands from another's
    asked: TrendFilter,
    dimension: Dimension,
    _desk: Desk,
) -> list[Slice]:
    with _desk.store.read() as session:
        return trends.by(session, asked, dimension)


def _read(desk: Desk, asked: TrendFilter, cube: Cube) -> _Data:
    key = desk.cache_key
    narrowed = (asked.platforms, asked.languages)
    intents = cube.by("intent", *narrowed)
    intents_before = _slices(key, asked.before(), "intent", desk)
    voices = tuple(brand.id for brand in desk.brands if brand.realm == _realm(desk))
    with desk.store.read() as session:
        begins = trends.first_bucket(session, asked.brand_keys)
    return _Data(
        bins=_series(key, asked, (*desk.period.edges[:-1], asked.end), desk),
        now=_sum(intents),
        before=_sum(intents_before),
        complaints=_of(intents, "complaint"),
        complaints_before=_of(intents_before, "complaint"),
        platforms=cube.by("platform", *narrowed),
        languages=cube.by("language", *narrowed),
        brands=_slices(key, replace(asked, brand_keys=voices), "brand", desk)
        if len(voices) > 1
        else [],
        begins=begins,
    )


def _realm(desk: Desk) -> str:
    brand = desk.brand(desk.scope.brand_ids[0]) if desk.scope.brand_ids else None
    return brand.realm if brand else "real"


def _sum(slices: Sequence[Slice]) -> Counts:
    return Counts(*(sum(getattr(one.counts, name) for one in slices) for name in trends.SENTIMENTS))


def _of(slices: Sequence[Slice], key: str) -> Counts:
    return next((one.counts for one in slices if one.key == key), Counts())


def _figures(desk: Desk, asked: TrendFilter, data: _Data) -> None:
    now, before = data.now, data.before
    comparable = data.begins is not None and data.begins <= asked.before().start
    narrowed = {"platform": ",".join(asked.platforms), "language": ",".join(asked.languages)}

    def link(**more: str) -> str:
        return parts.posts_address(desk, **{**narrowed, **more})

    def counted(label: str, current: int, earlier: int, **more: str) -> str:
        return parts.figure(
            label,
            desk.formats.number(current),
            href=link(**more),
            change=_change(desk, current, earlier) if comparable else "",
            count=desk.t("{n} before", n=desk.formats.number(earlier)) if comparable else "",
        )

    complaints, complaints_before = data.complaints.mentions, data.complaints_before.mentions
    cards = [
        counted(desk.t("Mentions"), now.mentions, before.mentions),
        parts.figure(
            desk.t("Negative share"),
            _share(desk, now.negative_share),
            href=link(sentiment="negative"),
            change=_points(desk, now, before) if comparable else "",
            count=desk.t(
                "{n} of {all} scored",
                n=desk.formats.number(now.negative),
                all=desk.formats.number(now.scored),
            ),
        ),
        counted(desk.t("Positive"), now.positive, before.positive, sentiment="positive"),
        counted(desk.t("Complaints"), complaints, complaints_before, intent="complaint"),
    ]
    if now.unscored:
        cards.append(
            parts.figure(
                desk.t("Not scored yet"),
                desk.formats.number(now.unscored),
                href=link(sentiment="unscored"),
                count=desk.t("scored within minutes as a rule"),
            )
        )
    parts.figures(cards)
    if not comparable and data.begins is not None:
        st.caption(
            desk.t(
                "No comparison: the figures begin on {day}, after the period before this one.",
                day=desk.formats.day(data.begins),
            )
        )


def _share(desk: Desk, share: float | None) -> str:
    return "–" if share is None else desk.formats.percent(share)


def _change(desk: Desk, now: int, before: int) -> str:
    return desk.formats.change(now / before - 1) if before else ""


def _points(desk: Desk, now: Counts, before: Counts) -> str:
    if now.negative_share is None or before.negative_share is None:
        return ""
    points = round((now.negative_share - before.negative_share) * 100)
    shown = ("+" if points > 0 else "") + desk.formats.number(points)
    return desk.nt("{points} point", "{points} points", abs(points), points=shown)


def _breakdowns(desk: Desk, data: _Data) -> None:
    columns = st.columns(3 if data.brands else 2, gap="medium")
    with columns[0]:
        st.subheader(desk.t("By platform"))
        names = {one.key: terms.platform(desk, one.key) for one in data.platforms}
        st.altair_chart(
            charts.bars(desk, data.platforms[:7], names, desk.t("Mentions")), key="platforms"
        )
    with columns[1]:
        st.subheader(desk.t("By language"))
        names = {one.key: terms.language(desk, one.key) for one in data.languages}
        st.altair_chart(
            charts.bars(desk, data.languages[:7], names, desk.t("Mentions")), key="languages"
        )
    if data.brands:
        with columns[2]:
            st.subheader(desk.t("Share of voice"))
            names = {str(brand.id): brand.name for brand in desk.brands}
            st.altair_chart(charts.share_of_voice(desk, data.brands[:7], names), key="voice")


def _table(desk: Desk, asked: TrendFilter, bins: Sequence[Bin]) -> None:
    sheet = _sheet(desk, asked, bins)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(desk.t("The same in figures"))
        st.space("stretch")
        if desk.may("export"):
            name = f"groundswell-trends-{asked.start:%Y%m%d}-{asked.end:%Y%m%d}"
            st.download_button(
                "CSV",
                lambda: _export(desk, sheet, "csv"),
                f"{name}.csv",
                exports.CSV,
                icon=":material/download:",
                on_click="ignore",
            )
            st.download_button(
                "XLSX",
                lambda: _export(desk, sheet, "xlsx"),
                f"{name}.xlsx",
                exports.XLSX,
                icon=":material/download:",
                on_click="ignore",
            )
    st.dataframe(
        [dict(zip(sheet.columns, row, strict=True)) for row in reversed(sheet.rows)],
        hide_index=True,
        height=320,
    )


def _export(desk: Desk, sheet: exports.Sheet, kind: str) -> bytes:
    if not (desk.still_signed_in() and desk.may("export")):
        return b""
    desk.store.transact(
        lambda session: audit.record(
            session,
            at=desk.now,
            user_id=desk.person.id,
            action="exported",
            object_type="trends",
            detail={"format": kind, "rows": len(sheet.rows)},
        )
    )
    return exports.as_csv(sheet) if kind == "csv" else exports.as_xlsx(sheet)


def _sheet(desk: Desk, asked: TrendFilter, bins: Sequence[Bin]) -> exports.Sheet:
    sums = [bin_.counts for bin_ in bins]
    brand = desk.brand(desk.scope.brand_ids[0]) if len(desk.scope.brand_ids) == 1 else None
    about = [
        (desk.t("Brand"), brand.name if brand else desk.t("All brands")),
        (
            desk.t("Platforms"),
            ", ".join(terms.platform(desk, one) for one in asked.platforms)
            or desk.t("All platforms"),
        ),
        (
            desk.t("Languages"),
            ", ".join(terms.language(desk, one) for one in asked.languages)
            or desk.t("All languages"),
        ),
        (
            desk.t("Period"),
            f"{desk.formats.moment(asked.start)} – {desk.formats.moment(asked.end)}",
        ),
        (desk.t("Time zone"), str(desk.formats.zone)),
        (desk.t("Mentions"), str(sum(one.mentions for one in sums))),
        (desk.t("Made"), desk.formats.moment(desk.now)),
    ]
    columns = [
        desk.t("From"),
        desk.t("Mentions"),
        *(desk.t(terms.SENTIMENTS[name]) for name in trends.SENTIMENTS),
    ]
    stamp = "%Y-%m-%d %H:%M" if desk.period.step == "hour" else "%Y-%m-%d"
    rows = [
        [
            one.start.astimezone(desk.formats.zone).strftime(stamp),
            one.counts.mentions,
            *(getattr(one.counts, name) for name in trends.SENTIMENTS),
        ]
        for one in bins
    ]
    return exports.Sheet(desk.t("Trends"), about, columns, rows)
