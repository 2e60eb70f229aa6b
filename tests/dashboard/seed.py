"""Rows for the dashboard's tests: brands, staff, posts in two languages, some of them hostile."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from responder import sla
from responder.drafts import add_starter_set
from responder.triage import triage_pending
from service.signin import hash_password
from store import incidents, users
from store.assessments import Unassessed, record_assessments
from store.database import Store
from store.ingest import BrandHit, Incoming, ingest
from store.models import Brand, Mention, Source, User
from store.posts import Post, PostAuthor

NAMES = {"agent": "Li", "manager": "Wu", "analyst": "Xu", "administrator": "Zhao"}
PASSWORD = "correct horse battery"
HOSTILE = (
    "<script>window.hacked=1</script><img src=x onerror=window.hacked=2> "
    "[click](javascript:alert(1)) ![pic](https://evil.example/x.png) :red[red] $x$ "
    '=HYPERLINK("http://evil.example") \u202egnp.exe\u202c see https://evil.example/a'
)

_NEGATIVE = [
    "My order arrived broken and nobody answers the phone.",
    "Third week without a refund, this is ridiculous.",
    "快递三天没动静,客服一直不回消息。",
    "退款拖了两个星期还没到账,太失望了。",
]
_NEUTRAL = [
    "Does anyone know whether the kettle works with 110 V?",
    "请问这款水壶支持开发票吗?",
    "Saw the new store opening on Main Street today.",
]
_POSITIVE = [
    "Support sorted it out within an hour, thank you!",
    "用了一个月,保温效果真的很好,推荐。",
    "The new kettle is quiet and quick. Happy with it.",
]


@dataclass(frozen=True)
class Reading:
    """A fixed reading in the shape that the assess stage records."""

    sentiment: str
    p_negative: float
    p_neutral: float
    p_positive: float
    intent: str
    urgency: int
    language: str
    unsure: bool = False
    intent_probabilities: tuple[float, ...] = (0.2, 0.2, 0.2, 0.2, 0.2)
    emotion: str = "neutral"
    emotion_probabilities: tuple[float, ...] = (1.0,)
    model: str = "fixed"
    vector: bytes | None = None


def add_brand(session: Session, name: str, now: datetime, **more: object) -> Brand:
    brand = Brand(name=name, created_at=now, handles=[], **more)
    session.add(brand)
    session.flush()
    return brand


def add_user(session: Session, email: str, role: str, now: datetime, **more: object) -> User:
    name = NAMES.get(role, "Ng")
    return users.create(
        session,
        users.NewUser(email, role, hash_password(PASSWORD), name=name, **more),
        now,
    )


def reading_of(words: str, language: str) -> Reading:
    if words in _NEGATIVE or "script" in words:
        return Reading("negative", 0.9, 0.07, 0.03, "complaint", 2, language)
    if words in _POSITIVE:
        return Reading("positive", 0.03, 0.07, 0.9, "praise", 0, language)
    return Reading("neutral", 0.1, 0.8, 0.1, "enquiry", 1, language)


def add_posts(
    store: Store,
    brand_id: int,
    now: datetime,
    *,
    count: int,
    days: float,
    seed: int = 1,
    live: bool = False,
    words: str | None = None,
    platform: str | None = None,
    source_id: int | None = None,
) -> None:
    """``count`` scored posts spread over the last ``days`` days, the same ones for a seed."""
    dice = random.Random(seed)
    incoming = []
    for number in range(count):
        text = words or dice.choice(dice.choice([_NEGATIVE, _NEUTRAL, _NEUTRAL, _POSITIVE]))
        language = "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in text) else "en"
        person = dice.randrange(60)
        name = dice.choice(["Ann Reed", "李雷", "Tom", "王芳", "Mika"]) + f" {person}"
        on = platform or dice.choice(["bluesky", "bluesky", "email", "rss"])
        external = f"{seed}-{brand_id}-{number}"
        incoming.append(
            Incoming(
                Post(
                    platform=on,
                    external_id=external,
                    text=text,
                    posted_at=now - timedelta(days=days * dice.random()),
                    author=PostAuthor(f"{on}-{person}", f"user{person}", name, followers=person),
                    conversation=external,
                    url=f"https://posts.example/{external}",
                    language=language,
                ),
                [BrandHit(brand_id)],
            )
        )
    for start in range(0, len(incoming), 400):
        page = incoming[start : start + 400]
        with store.write() as session:
            ingest(session, page, live=live, now=now, source_id=source_id)
    score_everything(store, now)


def score_everything(store: Store, now: datetime) -> None:
    while True:
        with store.write() as session:
            waiting = session.scalars(
                select(Mention).where(Mention.assessed_at.is_(None)).limit(400)
            ).all()
            if not waiting:
                return
            readings = [
                (Unassessed(one.id, one.text, one.edited_at), reading_of(one.text, one.language))
                for one in waiting
            ]
            session.expunge_all()
            record_assessments(session, readings, now)


def triage_everything(store: Store, now: datetime) -> None:
    while store.transact(lambda session: triage_pending(session, now)).taken:
        pass


def fill(store: Store, now: datetime) -> None:
    """Two brands with posts, tickets and an open incident; four people of four roles."""
    with store.write() as session:
        kettles = add_brand(session, "Northwind Kettles", now, time_zone="Asia/Shanghai").id
        other = add_brand(
            session, "Borealis Home", now, kind="competitor", time_zone="Asia/Shanghai"
        ).id
        for role in users.ROLES:
            add_user(session, f"{role}@example.com", role, now)
        add_user(session, "limited@example.com", "agent", now, brand_ids=[other])
        add_user(session, "leser@example.com", "administrator", now, language="zh")
        source = Source(
            name="Northwind on Bluesky", connector="bluesky", brand_id=kettles, config={},
            interval_seconds=60, enabled=True, state="ok", created_at=now - timedelta(days=30),
            last_run_at=now, last_success_at=now, covered_until=now,
            next_run_at=now + timedelta(minutes=1), spent_usd=0.0,
        )  # fmt: skip
        failing = Source(
            name="Care mailbox", connector="email", brand_id=kettles, config={},
            interval_seconds=60, enabled=True, state="failing", created_at=now - timedelta(days=30),
            last_run_at=now, last_success_at=now - timedelta(hours=2), spent_usd=0.0,
            last_error="mail.example did not answer within 20 seconds.", last_error_at=now,
            next_run_at=now + timedelta(minutes=5),
        )  # fmt: skip
        session.add_all([source, failing])
        session.flush()
        source_id = source.id
        sla.ensure_defaults(session)
        add_starter_set(session, now)
    add_posts(store, kettles, now, count=500, days=20)
    add_posts(store, other, now, count=200, days=20, seed=2)
    add_posts(
        store, kettles, now, count=12, days=0.2, seed=5, live=True, platform="bluesky",
        source_id=source_id,
    )  # fmt: skip
    add_posts(
        store, kettles, now, count=1, days=0.001, seed=4, live=True, platform="bluesky",
        source_id=source_id, words=HOSTILE,
    )  # fmt: skip
    triage_everything(store, now)
    store.transact(lambda session: add_incident(session, kettles, now))


def add_incident(session: Session, brand_id: int, now: datetime) -> None:
    """An open incident as the watch stage writes one."""
    brand = session.get_one(Brand, brand_id)
    began = now - timedelta(hours=2)
    summary = {
        "metric": "negative", "finding": "surge", "value": 48, "baseline": 4.0, "upper": 11.0,
        "window_minutes": 15, "share": 0.81, "usual_share": 0.24, "authors": 37,
        "since": began.isoformat(), "sure": True, "brand": brand.name, "realm": "real",
        "time_zone": brand.time_zone, "caps": [],
    }  # fmt: skip
    reasons = [
        {"key": "volume", "mentions": 48, "usual": 4.0, "ratio": 12.0},
        {"key": "negative", "share": 0.81, "usual_share": 0.24},
        {"key": "spread", "authors": 37},
        {"key": "severity", "categories": [{"name": "safety", "authors": 5}]},
    ]
    incident = incidents.add(
        session, brand, level="orange", started_at=began, now=now - timedelta(hours=1),
        summary=summary, reasons=reasons,
    )  # fmt: skip
    incidents.add_event(session, incident.id, now, "opened", {"level": "orange"})
    worst = session.scalars(
        select(Mention.id).where(Mention.text.contains("script")).limit(1)
    ).one()
    incidents.set_top_posts(session, incident.id, [(worst, "typical")])
