"""Several processes at once, and processes that are killed."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import time
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

from sqlalchemy import func, select

from responder import replies, sla, tickets
from responder.delivery import CLAIM_FOR
from responder.drafts import STARTER_SET, add_starter_set
from responder.errors import Collision
from responder.triage import triage_pending
from store.database import Store
from store.models import CannedResponse, Customer, Mention, Reply, SlaPolicy, TicketEvent
from store.numbers import next_number
from tests.responder.platform import Channel, Platform, deliver
from tests.responder.world import World

SPAWN = multiprocessing.get_context("spawn")


def start(world: World, target: object, *arguments: object, count: int = 2) -> list[BaseProcess]:
    url = world.store.url.render_as_string(hide_password=False)
    workers: list[BaseProcess] = [
        SPAWN.Process(target=target, args=(url, n, *arguments))  # type: ignore[arg-type]
        for n in range(count)
    ]
    for worker in workers:
        worker.start()
    return workers


def finish(workers: list[BaseProcess]) -> None:
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0


def _triage(url: str, _n: int, now: datetime) -> None:
    store = Store(url)
    idle = 0
    while idle < 3:
        taken = store.transact(lambda session: triage_pending(session, now, limit=7)).taken
        idle = 0 if taken else idle + 1
        time.sleep(0 if taken else 0.05)
    store.close()


def test_two_triage_processes_open_one_ticket_for_each_thread(world: World) -> None:
    for thread in range(15):
        for post in range(4):
            world.post(
                f"t{thread}-{post}",
                author=f"a{thread % 5}",
                thread=f"t{thread}-0",
                ago=timedelta(minutes=60 - post),
            )
    finish(start(world, _triage, world.now))
    found = world.tickets()
    assert len(found) == 15
    assert {ticket.number for ticket in found} == {f"GS-2026-{n:06d}" for n in range(1, 16)}
    assert sum(active for _ticket, active in world.links()) == 15
    assert world.events().count("opened") == 15
    assert world.events().count("mention") == 45
    with world.store.read() as session:
        assert session.scalar(select(func.count(Customer.id))) == 5
        waiting = select(func.count(Mention.id)).where(Mention.triaged_at.is_(None))
        assert session.scalar(waiting) == 0


def _number(url: str, n: int, folder: Path) -> None:
    store = Store(url)
    numbers = [store.transact(lambda s: next_number(s, "GS", 2026)) for _ in range(40)]
    (folder / f"numbers-{n}").write_text("\n".join(numbers))
    store.close()


def test_two_processes_never_get_the_same_number(world: World, tmp_path: Path) -> None:
    finish(start(world, _number, tmp_path))
    found = [line for file in tmp_path.glob("numbers-*") for line in file.read_text().split()]
    assert sorted(found) == [f"GS-2026-{n:06d}" for n in range(1, 81)]


def _set_up(url: str, _n: int, now: datetime) -> None:
    store = Store(url)
    store.transact(sla.ensure_defaults)
    store.transact(lambda session: add_starter_set(session, now))
    store.close()


def test_two_processes_make_the_defaults_once(world: World) -> None:
    finish(start(world, _set_up, world.now))
    with world.store.read() as session:
        assert session.scalar(select(func.count(SlaPolicy.id))) == 5
        assert session.scalar(select(func.count(CannedResponse.id))) == len(STARTER_SET)


def _resolve(url: str, n: int, ticket_id: int, now: datetime, folder: Path) -> None:
    store = Store(url)
    try:
        store.transact(lambda session: tickets.resolve(session, ticket_id, None, now))
        outcome = "resolved"
    except Collision:
        outcome = "collision"
    (folder / f"outcome-{n}").write_text(outcome)
    store.close()


def test_of_two_people_who_resolve_at_once_one_is_told(world: World, tmp_path: Path) -> None:
    world.post("p1")
    world.triage()
    finish(start(world, _resolve, world.ticket().id, world.now, tmp_path))
    outcomes = sorted(file.read_text() for file in tmp_path.glob("outcome-*"))
    assert outcomes == ["collision", "resolved"]
    assert world.events().count("resolved") == 1


def _click(url: str, n: int, ticket_id: int, mention_id: int, now: datetime, folder: Path) -> None:
    store = Store(url)
    reply = store.transact(
        lambda session: replies.compose(
            session, ticket_id, mention_id, "Sorry!", None, now, "fake", key="form-1"
        )
    )
    (folder / f"reply-{n}").write_text(str(reply.id))
    store.close()


def test_the_same_click_in_two_processes_is_one_reply(world: World, tmp_path: Path) -> None:
    mention_id = world.post("p1")
    world.triage()
    finish(start(world, _click, world.ticket().id, mention_id, world.now, tmp_path))
    with world.store.read() as session:
        (only,) = session.scalars(select(Reply.id))
    assert {file.read_text() for file in tmp_path.glob("reply-*")} == {str(only)}


def _undo(url: str, n: int, reply_id: int, path: Path, now: datetime) -> None:
    store = Store(url)
    if n == 0:
        deliver(store, Channel(Platform(path)), lambda: now)
    else:
        with contextlib.suppress(Collision):
            store.transact(lambda session: replies.cancel(session, reply_id, None, now))
    store.close()


def test_an_undo_against_a_deliverer_ends_in_one_of_the_two(world: World, tmp_path: Path) -> None:
    platform = Platform(tmp_path / "platform.jsonl")
    write_replies(world, 1)
    with world.store.read() as session:
        (reply_id,) = session.scalars(select(Reply.id))
    finish(start(world, _undo, reply_id, platform.path, world.now))
    with world.store.read() as session:
        status = session.scalars(select(Reply.status)).one()
    assert (status, len(platform.posts())) in {("sent", 1), ("draft", 0)}


def _deliver(url: str, n: int, path: Path, now: datetime, pause: float) -> None:
    store = Store(url)
    channel = Channel(Platform(path), pause=pause)
    while deliver(store, channel, lambda: now, f"w{n}"):
        pass
    store.close()


def write_replies(world: World, count: int) -> None:
    for n in range(count):
        mention_id = world.post(f"p{n}", author=f"a{n}")
        world.triage()
        with world.store.write() as session:
            replies.compose(
                session, world.tickets()[-1].id, mention_id, f"Answer {n}", None, world.now,
                "fake", undo=timedelta(),
            )  # fmt: skip


def assert_each_arrived_once(world: World, platform: Platform, count: int) -> None:
    assert sorted(platform.bodies()) == sorted(f"Answer {n}" for n in range(count))
    with world.store.read() as session:
        assert set(session.scalars(select(Reply.status))) == {"sent"}
        ours = session.scalars(
            select(Mention.external_id).where(Mention.direction == "outbound")
        ).all()
        assert sorted(ours) == sorted(post["id"] for post in platform.posts())
        replied = select(func.count()).where(TicketEvent.kind == "replied")
        assert session.scalar(replied) == count


def test_two_deliverers_send_each_reply_once(world: World, tmp_path: Path) -> None:
    platform = Platform(tmp_path / "platform.jsonl")
    write_replies(world, 25)
    finish(start(world, _deliver, platform.path, world.now, 0.002))
    assert_each_arrived_once(world, platform, 25)


def test_deliverers_killed_at_any_moment_neither_lose_nor_double_a_reply(
    world: World, tmp_path: Path
) -> None:
    platform = Platform(tmp_path / "platform.jsonl")
    write_replies(world, 12)
    chance = random.Random(20260302)
    for _ in range(4):
        before = len(platform.posts())
        workers = start(world, _deliver, platform.path, world.now, 0.03)
        deadline = time.monotonic() + 60
        while len(platform.posts()) == before and any(w.is_alive() for w in workers):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.1))
        for worker in workers:
            if worker.pid is not None and worker.is_alive():
                os.kill(worker.pid, signal.SIGKILL)
            worker.join(30)
        world.clock.advance(CLAIM_FOR)
    channel = Channel(platform)
    while deliver(world.store, channel, world.clock.now):
        pass
    assert_each_arrived_once(world, platform, 12)
