"""Altair charts. Times are drawn as the brand's wall clock, whatever zone the browser is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import altair as alt

from dashboard import terms, theme
from dashboard.desk import Desk
from store.trends import SENTIMENTS, Bin, Slice

_HEIGHT = 320
Drawn = alt.Chart | alt.LayerChart | alt.FacetChart


def _data(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=[dict(row) for row in rows])


def wall_clock(desk: Desk, at: datetime) -> str:
    """A moment as text that Vega, told to draw in UTC, shows as the brand's own time."""
    return at.astimezone(desk.formats.zone).strftime("%Y-%m-%dT%H:%M:%SZ")


def _colours(desk: Desk) -> alt.Scale:
    return alt.Scale(
        domain=[desk.t(terms.SENTIMENTS[name]) for name in SENTIMENTS],
        range=[*theme.SENTIMENT.values(), theme.UNSCORED],
    )


def _time_axis(desk: Desk, title: str) -> alt.X:
    day = "%-m月%-d日" if desk.words.language == "zh" else "%-d %b"
    if desk.words.language == "zh":
        format_ = f"{day} %H:%M" if desk.period.step == "hour" else day
    else:
        format_ = f"{day}, %H:%M" if desk.period.step == "hour" else day
    return alt.X(
        "start:T",
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(
            title=title, format=format_, labelOverlap=True, tickCount=8, grid=False, labelFlush=True
        ),
    )


def volume(desk: Desk, bins: Sequence[Bin]) -> Drawn:
    """Mentions per step, stacked by sentiment."""
    rows: list[dict[str, Any]] = []
    for one in bins:
        below = 0
        for name in SENTIMENTS:
            count = getattr(one.counts, name)
            hour = desk.period.step == "hour"
            rows.append(
                {
                    "start": wall_clock(desk, one.start),
                    "end": wall_clock(desk, one.end),
                    "low": below,
                    "high": below + count,
                    "when": (desk.formats.moment if hour else desk.formats.day)(one.start),
                    "sentiment": desk.t(terms.SENTIMENTS[name]),
                    "mentions": count,
                }
            )
            below += count
    unit = desk.t("Mentions per hour") if desk.period.step == "hour" else desk.t("Mentions per day")
    zone = desk.t("Time in {zone}", zone=desk.formats.zone_name)
    drawn: alt.Chart = (
        alt.Chart(_data(rows), height=_HEIGHT)
        # Rectangles, since a stacked bar cannot span the time from one edge to the next.
        .mark_rect(stroke="white", strokeWidth=0.5 if len(bins) < 200 else 0)
        .encode(
            x=_time_axis(desk, zone),
            x2="end:T",
            y=alt.Y("low:Q", title=unit, scale=alt.Scale(zero=True)),
            y2="high:Q",
            color=alt.Color(
                "sentiment:N", scale=_colours(desk), legend=alt.Legend(title=None, orient="top")
            ),
            tooltip=[
                alt.Tooltip("when:N", title=desk.t("From")),
                alt.Tooltip("sentiment:N", title=desk.t("Sentiment")),
                alt.Tooltip("mentions:Q", title=desk.t("Mentions"), format=","),
            ],
        )
    )
    return drawn


def negative_share(desk: Desk, bins: Sequence[Bin]) -> Drawn:
    """The negative share of the scored mentions per step; steps without any are gaps."""
    rows = [
        {
            "start": wall_clock(desk, one.start),
            "share": one.counts.negative_share,
            "when": desk.formats.moment(one.start),
            "scored": one.counts.scored,
        }
        for one in bins
    ]
    drawn: alt.Chart = (
        alt.Chart(_data(rows), height=200)
        .mark_line(
            color=theme.SENTIMENT["negative"],
            strokeWidth=2,
            invalid="break-paths-show-domains",
            point={"size": 18, "color": theme.SENTIMENT["negative"]} if len(bins) < 60 else False,
        )
        .encode(
            x=_time_axis(desk, desk.t("Time in {zone}", zone=desk.formats.zone_name)),
            y=alt.Y(
                "share:Q",
                title=desk.t("Negative share"),
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format="%", tickCount=4),
            ),
            tooltip=[
                alt.Tooltip("when:N", title=desk.t("From")),
                alt.Tooltip("share:Q", title=desk.t("Negative share"), format=".0%"),
                alt.Tooltip("scored:Q", title=desk.t("Scored mentions"), format=","),
            ],
        )
    )
    return drawn


def bars(desk: Desk, slices: Sequence[Slice], names: dict[str, str], title: str) -> Drawn:
    """One bar per platform, language or class, stacked by sentiment, its sum written at the end."""
    rows: list[dict[str, Any]] = []
    sums: list[dict[str, Any]] = []
    for one in slices:
        name = names[one.key]
        sums.append(
            {
                "name": name,
                "mentions": one.counts.mentions,
                "label": desk.formats.number(one.counts.mentions),
            }
        )
        for order, sentiment in enumerate(SENTIMENTS):
            rows.append(
                {
                    "name": name,
                    "sentiment": desk.t(terms.SENTIMENTS[sentiment]),
                    "order": order,
                    "mentions": getattr(one.counts, sentiment),
                }
            )
    y = alt.Y(
        "name:N",
        sort=[str(row["name"]) for row in sums],
        title=None,
        axis=alt.Axis(labelLimit=140, ticks=False, domain=False),
    )
    drawn = (
        alt.Chart(_data(rows))
        .mark_bar(height=14)
        .encode(
            y=y,
            x=alt.X("mentions:Q", title=title, stack="zero", axis=alt.Axis(tickCount=4)),
            color=alt.Color("sentiment:N", scale=_colours(desk), legend=None),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("name:N", title=title),
                alt.Tooltip("sentiment:N", title=desk.t("Sentiment")),
                alt.Tooltip("mentions:Q", title=desk.t("Mentions"), format=","),
            ],
        )
    )
    labels = (
        alt.Chart(_data(sums))
        .mark_text(align="left", dx=4, color="#7A8594")
        .encode(y=y, x=alt.X("mentions:Q"), text="label:N")
    )
    return alt.layer(drawn, labels).properties(height=28 * len(sums) + 64)


def share_of_voice(desk: Desk, slices: Sequence[Slice], names: dict[str, str]) -> Drawn:
    """Each brand's part of all mentions of the brands compared."""
    total = sum(one.counts.mentions for one in slices) or 1
    rows = [
        {
            "name": names[one.key],
            "share": one.counts.mentions / total,
            "mentions": one.counts.mentions,
            "label": f"{desk.formats.percent(one.counts.mentions / total)} · "
            f"{desk.formats.number(one.counts.mentions)}",
        }
        for one in slices
    ]
    base = alt.Chart(_data(rows)).encode(
        y=alt.Y(
            "name:N",
            sort=[str(row["name"]) for row in rows],
            title=None,
            axis=alt.Axis(labelLimit=140, ticks=False, domain=False),
        ),
        x=alt.X(
            "share:Q",
            title=desk.t("Share of voice"),
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format="%", tickCount=4),
        ),
        tooltip=[
            alt.Tooltip("name:N", title=desk.t("Brand")),
            alt.Tooltip("mentions:Q", title=desk.t("Mentions"), format=","),
            alt.Tooltip("share:Q", title=desk.t("Share of voice"), format=".1%"),
        ],
    )
    return alt.layer(
        base.mark_bar(height=14, color=theme.LINE),
        base.mark_text(align="left", dx=4, color="#7A8594").encode(text="label:N"),
    ).properties(height=28 * len(rows) + 64)


def sparkline(
    desk: Desk, points: Sequence[dict[str, Any]], *, started: datetime | None = None
) -> Drawn:
    """What rose, over its baseline band. ``points``: start (datetime), value, low, high (or None).

    A line marks where the incident began.
    """
    rows = [{**point, "start": wall_clock(desk, point["start"])} for point in points]
    x = alt.X(
        "start:T",
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(title=None, format="%H:%M", tickCount=5, grid=False),
    )
    base = alt.Chart(_data(rows)).encode(x=x)
    band = base.mark_area(color="#7A8594", opacity=0.25).encode(
        y=alt.Y("low:Q", title=None, axis=alt.Axis(tickCount=3)),
        y2="high:Q",
    )
    line = base.mark_line(color=theme.LINE, strokeWidth=2).encode(y="value:Q")
    layers: list[Any] = [band, line]
    if started is not None:
        mark = _data([{"start": wall_clock(desk, started), "name": desk.t("Began")}])
        rule = alt.Chart(mark).encode(x=x)
        layers += [
            rule.mark_rule(color="#7A8594", strokeDash=[4, 3]),
            rule.mark_text(align="left", dx=4, dy=-40, color="#7A8594").encode(text="name:N"),
        ]
    return alt.layer(*layers).properties(height=150)
