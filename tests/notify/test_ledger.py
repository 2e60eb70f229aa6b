"""The ledger: queued once, claimed by one, sent, tried again, given up with a reason."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from notify.base import Message, Notifier, NotifyError
from notify.ledger import ATTEMPTS, claim, deliver, queue, record_failure, record_sent
from store.clock import SetClock
from store.database import Store
from store.models import NotificationDelivery, NotificationTarget
from store.notifications import CLAIM_FOR, add_target, retry_failed
from store.secrets import SecretBox
from tests.builders import a_brand
from tests.conftest import START


def a_target(session: Any, name: str = "desk", **values: Any) -> int:
    return add_target(
        session, **{"name": name, "kind": "console", "address": None, "now": START, **values}
    )


def news(session: Any, key: str = "incident:1:red", level: str = "red", **values: Any) -> bool:
    content: Mapping[str, Any] = {"brand": "Acme", "number": "INC-2026-000001"}
    return queue(
        session,
        **{
            "key": key, "kind": "incident", "level": level, "brand_id": None,
            "incident_id": None, "content": content, "now": START, **values,
        },
    )  # fmt: skip


def rows(store: Store) -> list[NotificationDelivery]:
    with store.read() as session:
        return list(session.scalars(select(NotificationDelivery).order_by(NotificationDelivery.id)))


class Recording:
    """A notifier that remembers, or refuses with an error."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.refuse: NotifyError | None = None

    def __call__(self, _kind: str, _address: bytes | None) -> Notifier:
        return self

    def send(self, message: Message) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.got.append(message)


def test_the_same_news_is_queued_once_and_goes_to_every_target_once(store: Store) -> None:
    with store.write() as session:
        a_target(session, "one")
        a_target(session, "two", language="zh")
        assert news(session)
    with store.write() as session:
        assert not news(session)
    way, clock = Recording(), SetClock(START)
    assert deliver(store, way, clock, "w", link_base="https://desk.example").sent == 2
    assert deliver(store, way, clock, "w").sent == 0
    assert len(way.got) == 2
    assert len({message.key for message in way.got}) == 2
    assert "查看" in way.got[1].body
    assert [(row.status, row.attempts, row.sent_at) for row in rows(store)] == [
        ("sent", 1, START), ("sent", 1, START),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("realm", "expected"),
    [
        ("real", {"console", "everyone", "own"}),
        ("demo", {"console", "own"}),
        ("drill", {"console"}),
    ],
)
def test_what_is_no_real_brand_stays_at_home(store: Store, realm: str, expected: set[str]) -> None:
    with store.write() as session:
        brand, other = a_brand(session, realm=realm), a_brand(session, "Other")
        a_target(session, "console")
        a_target(session, "everyone", kind="apprise", address=b"sealed")
        a_target(session, "own", kind="apprise", address=b"sealed", brand_id=brand)
        a_target(session, "other", kind="apprise", address=b"sealed", brand_id=other)
        asleep = a_target(session, "asleep")
        session.get_one(NotificationTarget, asleep).active = False
        session.flush()
        assert news(session, brand_id=brand)
        names = session.scalars(
            select(NotificationTarget.name).join(
                NotificationDelivery, NotificationDelivery.target_id == NotificationTarget.id
            )
        )
        assert set(names) == expected


@pytest.mark.parametrize(
    ("level", "count"), [("blue", 1), ("yellow", 2), ("orange", 3), ("red", 4)]
)
def test_a_target_hears_of_its_level_and_worse(store: Store, level: str, count: int) -> None:
    with store.write() as session:
        for least in ("blue", "yellow", "orange", "red"):
            a_target(session, least, min_level=least)
        assert news(session, level=level)
    assert len(rows(store)) == count


def test_a_failure_is_tried_again_later_and_later_and_then_given_up(store: Store) -> None:
    with store.write() as session:
        target = a_target(session)
        news(session)
    way, clock = Recording(), SetClock(START)
    way.refuse = NotifyError("HTTP 503")
    waits = []
    while rows(store)[0].status != "failed":
        before = clock.now()
        assert deliver(store, way, clock, "w").failed == 1
        assert deliver(store, way, clock, "w").failed == 0  # not before its time
        due = rows(store)[0].next_attempt_at
        if due is not None:
            waits.append((due - before).total_seconds())
            clock.set(due)
    (row,) = rows(store)
    assert (row.attempts, row.error) == (ATTEMPTS, "HTTP 503")
    assert waits == [30, 60, 120, 240, 480, 960, 1920]
    with store.write() as session:
        assert retry_failed(session, target, clock.now()) == 1
    way.refuse = None
    assert deliver(store, way, clock, "w").sent == 1


def test_the_other_sides_own_wish_and_a_hopeless_error_are_heeded(store: Store) -> None:
    with store.write() as session:
        a_target(session)
        news(session, "a")
        news(session, "b")
    with store.write() as session:
        first, second = claim(session, "w", START)
        wait = NotifyError("slow down", retry_after=timedelta(minutes=7))
        assert record_failure(session, first, "w", START, wait)
        assert record_failure(session, second, "w", START, NotifyError("gone", permanent=True))
    one, two = rows(store)
    assert (one.status, one.next_attempt_at) == ("pending", START + timedelta(minutes=7))
    assert (two.status, two.next_attempt_at, two.error) == ("failed", None, "gone")


def test_a_delivery_whose_worker_died_is_taken_over_and_recorded_once(store: Store) -> None:
    with store.write() as session:
        a_target(session)
        news(session)
    with store.write() as session:
        (lost,) = claim(session, "dead", START)
    with store.write() as session:
        assert claim(session, "other", START + CLAIM_FOR / 2) == []
        (again,) = claim(session, "other", START + CLAIM_FOR)
        assert (again.id, again.key, again.attempts) == (lost.id, lost.key, 2)
        assert record_sent(session, again, "other", START + CLAIM_FOR)
    with store.write() as session:
        assert not record_sent(session, lost, "dead", START + CLAIM_FOR)
        assert not record_failure(session, lost, "dead", START, NotifyError("late"))
    assert rows(store)[0].status == "sent"


def test_a_secret_that_cannot_be_read_is_a_failure_with_its_reason(
    sqlite_store: Store, tmp_path: Path
) -> None:
    box, other = SecretBox.open(tmp_path / "one"), SecretBox.open(tmp_path / "two")

    def way(_kind: str, address: bytes | None) -> Notifier:
        box.unseal(address)
        raise AssertionError("unreachable")

    with sqlite_store.write() as session:
        sealed = other.seal({"url": "json://secret@host"})
        a_target(session, kind="apprise", address=sealed)
        news(session)
    assert deliver(sqlite_store, way, SetClock(START), "w").failed == 1
    (row,) = rows(sqlite_store)
    assert row.status == "failed"
    assert row.error is not None
    assert "key file" in row.error
    assert b"secret" not in sealed


def _race(url: str, name: str) -> list[int]:
    store = Store(url)
    taken: list[int] = []
    for _ in range(30):
        mine = store.transact(lambda session: claim(session, name, START, limit=3))
        for delivery in mine:
            assert store.transact(
                lambda session, delivery=delivery: record_sent(session, delivery, name, START)
            )
        taken += [delivery.id for delivery in mine]
    store.close()
    return taken


def test_racing_processes_deliver_everything_once(store: Store) -> None:
    with store.write() as session:
        for name in ("one", "two"):
            a_target(session, name)
        for number in range(40):
            news(session, f"incident:{number}:red")
    url = store.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        taken = pool.starmap(_race, [(url, f"w{n}") for n in range(3)])
    everything = sorted(number for mine in taken for number in mine)
    assert everything == sorted(row.id for row in rows(store))
    assert len(everything) == 80
    assert {row.status for row in rows(store)} == {"sent"}
    assert {row.attempts for row in rows(store)} == {1}


def _announce(url: str, number: int) -> int:
    store = Store(url)
    made = sum(
        store.transact(lambda session, n=n: news(session, f"incident:{n}:red")) for n in range(25)
    )
    store.close()
    return made + 0 * number


def test_racing_processes_queue_the_same_news_once(store: Store) -> None:
    with store.write() as session:
        a_target(session)
    url = store.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        made = pool.starmap(_announce, [(url, n) for n in range(3)])
    assert sum(made) == 25
    assert len(rows(store)) == 25
