"""A dashboard in a process of its own and a real Chromium for the browser tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from service.signin import COOKIE
from store import sessions, users
from store.database import Store
from tests.dashboard import seed

CHROMIUM = [Path("/usr/bin/chromium"), Path("/usr/bin/chromium-browser")]
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Dashboard:
    """A running dashboard and the database behind it."""

    url: str
    store: Store

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])


@contextmanager
def serving(store: Store) -> Iterator[Dashboard]:
    """Serve this database on a free port until the block ends."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.dashboard.serve", str(store.url), str(bound.fileno())],
            pass_fds=[bound.fileno()],
            cwd=Path(__file__).parents[2],
        )
        try:
            _wait_for(f"{url}/healthz", server)
            yield Dashboard(url, store)
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the dashboard ended while it started"
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the dashboard did not start within a minute")


@pytest.fixture(scope="session")
def dashboard(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Served over a database in which two brands are talked about and an incident is open."""
    path = tmp_path_factory.mktemp("dashboard") / "groundswell.db"
    shutil.copy(migrated_file, path)
    store = Store(f"sqlite:///{path}")
    seed.fill(store, datetime.now(UTC))
    with serving(store) as running:
        yield running
    store.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for path in CHROMIUM if path.exists()), None)
    if found is None:
        message = "Chromium is not here: install the packages chromium and fonts-noto-cjk"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(found), args=_FLAGS)
        yield running
        running.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    fresh = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    fresh.set_default_timeout(30_000)
    yield fresh
    fresh.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def sign_in(page: Page, dashboard: Dashboard, email: str, password: str = seed.PASSWORD) -> None:
    """Fill the sign-in form and send it."""
    page.goto(f"{dashboard.url}/sign-in")
    page.fill("#email", email)
    page.fill("#password", password)
    page.click("form button[type=submit]")


def enter(page: Page, dashboard: Dashboard, email: str, path: str) -> None:
    """Open a page as somebody who signed in before."""
    now = datetime.now(UTC)
    with dashboard.store.write() as session:
        user = users.by_email(session, email)
        assert user is not None
        token = sessions.open_session(session, user.id, now)
    page.context.add_cookies(
        [{"name": COOKIE, "value": token, "url": dashboard.url, "httpOnly": True}]
    )
    page.goto(f"{dashboard.url}{path}")
    settled(page)


def settled(page: Page) -> None:
    """Wait until Streamlit has drawn what it is going to draw."""
    page.wait_for_selector("[data-testid=stSidebarNav]")
    page.wait_for_function(
        "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
    )
