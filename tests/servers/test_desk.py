"""The whole service with real servers and a real browser: heard, read, answered in the thread."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from store.clock import SystemClock
from store.database import Store
from store.models import Brand, Reply, Source
from store.secrets import SecretBox
from tests.dashboard.conftest import browser, context, page, settled
from tests.servers.bluesky_network import Account, BlueskyNetwork

__all__ = ["browser", "context", "page"]  # fixtures

pytestmark = [pytest.mark.servers]

PASSWORD = "tide-and-current-7"


@dataclass
class Running:
    """`groundswell up` in a data folder of its own, started as a person would start it."""

    url: str
    folder: Path
    store: Store
    set_up_link: str


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("GROUNDSWELL_")},
        "GROUNDSWELL_DATA_DIR": str(tmp_path),
        "GROUNDSWELL_PORT": str(port),
        "GROUNDSWELL_LOG_FORMAT": "json",
    }
    log = tmp_path / "log"
    with log.open("wb") as out:
        service = subprocess.Popen(
            [sys.executable, "-u", "-m", "service.cli", "up", "--no-demo"],
            env=environment,
            stdout=out,
            stderr=out,
        )
    url = f"http://localhost:{port}"
    try:
        link = _wait(url, log, service)
        yield Running(url, tmp_path, Store(f"sqlite:///{tmp_path}/groundswell.db"), link)
    finally:
        service.send_signal(signal.SIGTERM)
        try:
            assert service.wait(40) in {0, -signal.SIGTERM}
        except subprocess.TimeoutExpired:
            service.kill()
            raise


def _wait(url: str, log: Path, service: subprocess.Popen[bytes]) -> str:
    for _ in range(900):
        assert service.poll() is None, log.read_text()[-3000:]
        with suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            if json.load(answer)["status"] == "ok":
                found = re.search(r"http://\S+/set-up\?token=\S+", log.read_text())
                assert found is not None
                return found[0]
        time.sleep(0.1)
    raise AssertionError("the service did not start: " + log.read_text()[-3000:])


def connect(running: Running, network: BlueskyNetwork, us: Account) -> None:
    now = SystemClock().now()
    box = SecretBox.open(running.folder / "groundswell.key")
    with running.store.write() as session:
        brand = Brand(name="Acme", created_at=now, handles=[us.handle])
        session.add(brand)
        session.flush()
        session.add(
            Source(
                name="Acme on Bluesky",
                connector="bluesky",
                brand_id=brand.id,
                config={"service": network.pds, "handle": us.handle},
                secrets=box.seal({"app_password": us.app_password()}),
                interval_seconds=1,
                next_run_at=now,
                created_at=now,
            )
        )


def test_an_agents_answer_arrives_in_the_thread_on_the_real_platform(
    running: Running, bluesky_network: BlueskyNetwork, page: Page
) -> None:
    us, customer = bluesky_network.account("acme"), bluesky_network.account("carla")
    page.goto(running.set_up_link)
    page.fill("#email", "ann@example.org")
    page.fill("#name", "Ann")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("form button[type=submit]")
    settled(page)

    connect(running, bluesky_network, us)
    complaint = customer.post(
        f"@{us.handle} my kettle arrived broken, this is terrible and nobody answers",
        mention=us,
    )
    bluesky_network.settle()

    page.goto(f"{running.url}/inbox")
    settled(page)
    row = page.locator("button.row").first
    expect(row).to_be_visible(timeout=90_000)
    row.click()
    expect(page.locator(".post .words").first).to_contain_text(
        "my kettle arrived broken", timeout=30_000
    )
    settled(page)
    composer = page.locator(".st-key-composer textarea")
    expect(composer).to_be_visible(timeout=30_000)
    page.keyboard.press("r")
    expect(composer).to_be_focused(timeout=30_000)
    page.keyboard.type("We are sorry. A new kettle is on its way. 🫖")
    composer.press("Control+Enter")
    expect(page.locator(".post.ours .words").last).to_contain_text(
        "A new kettle is on its way", timeout=30_000
    )

    deadline = time.monotonic() + 60
    while True:
        answers = [post for post in us.posts() if "reply" in post["value"]]
        if answers or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    assert [post["value"]["text"] for post in answers] == [
        "We are sorry. A new kettle is on its way. 🫖"
    ]
    assert answers[0]["value"]["reply"]["parent"]["uri"] == complaint.uri
    assert answers[0]["value"]["reply"]["root"]["uri"] == complaint.uri

    bluesky_network.settle()
    thread = customer.thread(complaint)
    assert [one["post"]["author"]["handle"] for one in thread["replies"]] == [us.handle]
    time.sleep(3)  # the worker hears our own answer too, and must not take it for a new one
    with running.store.read() as session:
        reply = session.scalars(select(Reply)).one()
    assert (reply.status, reply.attempts, reply.external_id) == ("sent", 1, answers[0]["uri"])
    page.reload()
    settled(page)
    page.locator("button.row").first.click()
    expect(page.locator(".post.ours")).to_have_count(1, timeout=30_000)
