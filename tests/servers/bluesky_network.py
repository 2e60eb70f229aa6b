"""A real Bluesky network for tests: PLC directory, PDS and AppView on free ports.

Facts: the AppView needs PostgreSQL (``tests.postgres``), handles end in ``.test``, rate limits are
on, and a change at the PDS is seen by the AppView a moment later (``settle`` waits for it).

The accounts here speak plain XRPC through httpx on purpose: they are the public, and share no
code with what is tested. https://docs.bsky.app/docs/category/http-reference
"""

from __future__ import annotations

import json
import os
import queue
import re
import secrets
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests import postgres
from tests.servers.errors import INSTALLED, ServersMissing

SCRIPT = Path(__file__).parent / "bluesky" / "start.mjs"
MODULES = INSTALLED / "bluesky"
READY_WITHIN = 60  # seconds; three on a quiet machine


@dataclass(frozen=True)
class Record:
    """A post as the network names it."""

    uri: str
    cid: str
    root_uri: str
    root_cid: str

    @property
    def rkey(self) -> str:
        return self.uri.rsplit("/", 1)[1]

    @property
    def channel_ref(self) -> dict[str, str]:
        """What the listener gives the reply channel, at the least."""
        return {
            "uri": self.uri,
            "cid": self.cid,
            "root_uri": self.root_uri,
            "root_cid": self.root_cid,
        }


@dataclass
class Account:
    """Somebody on the network."""

    network: BlueskyNetwork
    handle: str
    did: str
    password: str
    token: str = field(repr=False)

    def call(self, method: str, **data: Any) -> dict[str, Any]:
        """POST a procedure; raises httpx.HTTPStatusError."""
        answer = self.network.http.post(
            f"{self.network.pds}/xrpc/{method}", json=data, headers=self._headers
        )
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """GET a query; raises httpx.HTTPStatusError."""
        answer = self.network.http.get(
            f"{self.network.pds}/xrpc/{method}", params=parameters, headers=self._headers
        )
        answer.raise_for_status()
        return dict(answer.json())

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def post(
        self,
        text: str,
        *,
        reply_to: Record | None = None,
        quote: Record | None = None,
        mention: Account | None = None,
        langs: list[str] | None = None,
        created_at: datetime | None = None,
    ) -> Record:
        """Write a post and wait until the AppView shows it. ``mention`` is named in front."""
        record = self._record(text, reply_to, quote, mention, langs, created_at)
        made = self.call(
            "com.atproto.repo.createRecord",
            repo=self.did,
            collection="app.bsky.feed.post",
            record=record,
        )
        self.network.settle()
        root = (reply_to.root_uri, reply_to.root_cid) if reply_to else (made["uri"], made["cid"])
        return Record(made["uri"], made["cid"], *root)

    def edit(self, record: Record, text: str, *, mention: Account | None = None) -> Record:
        """Replace the text of a post."""
        made = self.call(
            "com.atproto.repo.putRecord",
            repo=self.did,
            collection="app.bsky.feed.post",
            rkey=record.rkey,
            record=self._record(text, None, None, mention, None, None),
        )
        self.network.settle()
        return Record(made["uri"], made["cid"], record.root_uri, record.root_cid)

    def like(self, record: Record) -> None:
        self.call(
            "com.atproto.repo.createRecord",
            repo=self.did,
            collection="app.bsky.feed.like",
            record={
                "$type": "app.bsky.feed.like",
                "subject": {"uri": record.uri, "cid": record.cid},
                "createdAt": _iso(None),
            },
        )
        self.network.settle()

    def delete(self, record: Record) -> None:
        self.call(
            "com.atproto.repo.deleteRecord",
            repo=self.did,
            collection="app.bsky.feed.post",
            rkey=record.rkey,
        )
        self.network.settle()

    def block(self, other: Account) -> None:
        self.call(
            "com.atproto.repo.createRecord",
            repo=self.did,
            collection="app.bsky.graph.block",
            record={
                "$type": "app.bsky.graph.block",
                "subject": other.did,
                "createdAt": _iso(None),
            },
        )
        self.network.settle()

    def allow_no_replies(self, record: Record) -> None:
        """Close a thread: nobody may answer."""
        self.call(
            "com.atproto.repo.createRecord",
            repo=self.did,
            collection="app.bsky.feed.threadgate",
            rkey=record.rkey,
            record={
                "$type": "app.bsky.feed.threadgate",
                "post": record.uri,
                "allow": [],
                "createdAt": _iso(None),
            },
        )
        self.network.settle()

    def app_password(self) -> str:
        """A new app password for this account."""
        made = self.call(
            "com.atproto.server.createAppPassword", name=f"groundswell {secrets.token_hex(4)}"
        )
        return str(made["password"])

    def posts(self) -> list[dict[str, Any]]:
        """Every post record in this account's repository, as {uri, cid, value}."""
        found = self.ask(
            "com.atproto.repo.listRecords",
            repo=self.did,
            collection="app.bsky.feed.post",
            limit=100,
        )
        return list(found["records"])

    def thread(self, record: Record) -> dict[str, Any]:
        """The thread below a post, as the AppView shows it."""
        return dict(self.ask("app.bsky.feed.getPostThread", uri=record.uri, depth=10)["thread"])

    @staticmethod
    def _record(
        text: str,
        reply_to: Record | None,
        quote: Record | None,
        mention: Account | None,
        langs: list[str] | None,
        created_at: datetime | None,
    ) -> dict[str, Any]:
        record: dict[str, Any] = {"$type": "app.bsky.feed.post", "createdAt": _iso(created_at)}
        if mention is not None:
            name = f"@{mention.handle}"
            record["facets"] = [
                {
                    "index": {"byteStart": 0, "byteEnd": len(name.encode())},
                    "features": [{"$type": "app.bsky.richtext.facet#mention", "did": mention.did}],
                }
            ]
            text = f"{name} {text}"
        record["text"] = text
        if langs:
            record["langs"] = langs
        if reply_to is not None:
            record["reply"] = {
                "root": {"uri": reply_to.root_uri, "cid": reply_to.root_cid},
                "parent": {"uri": reply_to.uri, "cid": reply_to.cid},
            }
        if quote is not None:
            record["embed"] = {
                "$type": "app.bsky.embed.record",
                "record": {"uri": quote.uri, "cid": quote.cid},
            }
        return record


@dataclass
class BlueskyNetwork:
    """Addresses of the running network, and people for it."""

    pds: str
    appview: str
    plc: str
    control: str
    http: httpx.Client = field(repr=False)

    def account(self, name: str = "someone") -> Account:
        """A new account whose handle begins with ``name``; ready to be logged in to."""
        stem = re.sub(r"[^a-z0-9]", "", name.lower())[:10]
        handle = f"{stem}-{secrets.token_hex(3)}.test"
        password = secrets.token_urlsafe(12)
        answer = self.http.post(
            f"{self.pds}/xrpc/com.atproto.server.createAccount",
            json={"handle": handle, "email": f"{handle}@example.test", "password": password},
        )
        answer.raise_for_status()
        made = answer.json()
        self.settle()
        return Account(self, handle, made["did"], password, made["accessJwt"])

    def settle(self) -> None:
        """Wait until the AppView has seen everything the PDS holds."""
        answer = self.http.get(f"{self.control}/settle")
        if answer.is_error:
            raise RuntimeError(answer.text)


def _iso(moment: datetime | None) -> str:
    moment = moment or datetime.now(UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def find_node() -> str:
    """Node 20 or newer: the one install.sh put beside the servers, else the machine's."""
    candidates = [str(INSTALLED / "node/node_modules/.bin/node"), shutil.which("node") or ""]
    for candidate in candidates:
        if not candidate or not Path(candidate).exists():
            continue
        said = subprocess.run([candidate, "--version"], capture_output=True, text=True).stdout
        found = re.match(r"v(\d+)", said)
        if found and int(found[1]) >= 20:
            return candidate
    raise ServersMissing("Node.js 20 or newer is not here: run tests/servers/install.sh")


@contextmanager
def bluesky(*, rate_limits: bool = True) -> Iterator[BlueskyNetwork]:
    """Start the network; raises ServersMissing where it is not installed.

    Without ``rate_limits`` one account may log in more often than 30 times in five minutes, as
    tests do that start many processes.
    """
    node = find_node()
    if not (MODULES / "node_modules" / "@atproto" / "dev-env").exists():
        raise ServersMissing("the Bluesky servers are not installed: run tests/servers/install.sh")
    try:
        postgres.find_programs()
    except postgres.PostgresMissing as missing:
        raise ServersMissing(str(missing)) from missing
    folder = Path(tempfile.mkdtemp(prefix="gs-bsky-"))
    try:
        with postgres.cluster() as url, (folder / "log").open("w+b") as log:
            postgres.sql(url, "CREATE DATABASE appview")
            address = url.replace("postgresql+pg8000://", "postgresql://") + "/appview"
            process = subprocess.Popen(
                [node, SCRIPT, MODULES, address, "limits" if rate_limits else "no-limits"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "TMPDIR": str(folder), "LOG_ENABLED": "false"},
                text=True,
            )
            try:
                ready = _wait_ready(process, folder / "log")
                with httpx.Client(timeout=30) as http:
                    yield BlueskyNetwork(
                        ready["pds"], ready["appview"], ready["plc"], ready["control"], http
                    )
            finally:
                _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_ready(process: subprocess.Popen[str], log: Path) -> dict[str, str]:
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=READY_WITHIN)
        except queue.Empty:
            line = ""
        if not line:
            said = log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the Bluesky network did not start: {said}")
        if line.startswith("{"):
            said_now = json.loads(line)
            if said_now.get("ready"):
                return dict(said_now)


def _stop(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()
