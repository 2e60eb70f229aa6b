"""A small PDS with AppView on loopback: enough of XRPC for one account, and faults on request.

It passes the same contract tests as the real network (tests/servers), which is how it is kept
honest. Tokens are real JWTs in shape, since the client reads their expiry.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

OWN = "did:plc:acmeacmeacmeacmeacmeacme"
POSTS = "app.bsky.feed.post"
PASSWORD = "abcd-efgh-ijkl-mnop"
HANDLE = "acme.test"

Answer = tuple[int, dict[str, str], bytes]


def json_answer(status: int, body: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"content-type": "application/json", **named}, json.dumps(body).encode()


def error_answer(status: int, code: str, message: str = "", **headers: str) -> Answer:
    return json_answer(status, {"error": code, "message": message or code}, **headers)


@dataclass
class FakeBluesky:
    """State of the fake. ``faults`` maps a method to what it does instead, once each."""

    url: str = ""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    notified: list[tuple[str, str]] = field(default_factory=list)  # (uri, reason)
    hidden: set[str] = field(default_factory=set)  # blocked: exists but is not shown
    closed: set[str] = field(default_factory=set)  # nobody may answer
    faults: dict[str, list[Callable[[], Answer]]] = field(default_factory=dict)
    lasting: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)
    lives: list[int] = field(default_factory=list)  # of the next access tokens, in seconds
    page_size: int = 100
    likes: Counter[str] = field(default_factory=Counter)
    now: datetime = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

    def say(
        self,
        text: Any,
        *,
        author: str = "did:plc:bobbobbobbobbobbobbobbob",
        reason: str | None = "mention",
        reply_to: str | None = None,
        created_at: str | None = None,
        langs: Any = None,
        rkey: str | None = None,
        **more: Any,
    ) -> str:
        """Somebody writes a post; gives its address."""
        self.now += timedelta(seconds=1)
        uri = f"at://{author}/{POSTS}/{rkey or f'3k{len(self.records):011d}'}"
        record: dict[str, Any] = {
            "$type": POSTS,
            "text": text,
            "createdAt": created_at or self._iso(self.now),
            **more,
        }
        if langs is not None:
            record["langs"] = langs
        if reply_to is not None:
            parent = self.records[reply_to]
            root = parent["value"].get("reply", {}).get("root")
            above = {"uri": reply_to, "cid": parent["cid"]}
            record["reply"] = {"root": root or above, "parent": above}
        self._put(uri, record)
        if reason:
            self.notified.append((uri, reason))
        return uri

    def edit(self, uri: str, text: str) -> None:
        self._put(uri, {**self.records[uri]["value"], "text": text})

    def delete(self, uri: str) -> None:
        del self.records[uri]
        self.notified = [one for one in self.notified if one[0] != uri]

    def own(self) -> list[dict[str, Any]]:
        return [one for uri, one in self.records.items() if uri.startswith(f"at://{OWN}/")]

    def fail_next(self, method: str, fault: Callable[[], Answer]) -> None:
        self.faults.setdefault(method, []).append(fault)

    def _put(self, uri: str, value: dict[str, Any]) -> str:
        cid = f"bafy{abs(hash(json.dumps(value, sort_keys=True))):020d}"
        indexed = self.records.get(uri, {}).get("indexed", self._iso(self.now))
        self.records[uri] = {"uri": uri, "cid": cid, "value": value, "indexed": indexed}
        return cid

    @staticmethod
    def _iso(moment: datetime) -> str:
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # What it answers

    def answer(self, method: str, asked: dict[str, list[str]], data: Any, token: str) -> Answer:
        self.calls[method] += 1
        self.asked.append((method, asked))
        if self.faults.get(method):
            return self.faults[method].pop(0)()
        if method in self.lasting:
            return self.lasting[method]()
        if method == "com.atproto.server.createSession":
            if data["password"] != PASSWORD or data["identifier"] != HANDLE:
                return error_answer(401, "AuthenticationRequired", "Invalid identifier or password")
            return json_answer(200, self._session())
        if method == "com.atproto.server.refreshSession" and token in self.refresh_tokens:
            self.refresh_tokens.remove(token)  # each can be used once
            return json_answer(200, self._session())
        if token not in self.tokens:
            return error_answer(400, "ExpiredToken", "Token has expired")
        name = method.rsplit(".", 1)[1]
        handler: Callable[[dict[str, list[str]], Any], Answer] | None
        handler = getattr(self, f"_{name}", None)
        if handler is None:
            return error_answer(501, "MethodNotImplemented")
        return handler(asked, data)

    def _session(self) -> dict[str, Any]:
        def token(kind: str, life: int) -> str:
            claims = {"scope": kind, "sub": OWN, "exp": int(time.time()) + life, "n": self.calls}
            coded = [{"alg": "HS256", "typ": "JWT"}, claims]
            parts = [
                base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
                for part in coded
            ]
            return ".".join([*parts, "c2ln"])

        access = token("access", self.lives.pop(0) if self.lives else 7200)
        refresh = token("refresh", 7_000_000)
        self.tokens.add(access)
        self.refresh_tokens.add(refresh)
        return {
            "accessJwt": access,
            "refreshJwt": refresh,
            "did": OWN,
            "handle": HANDLE,
        }

    def _view(self, uri: str) -> dict[str, Any]:
        record = self.records[uri]
        did = uri.split("/")[2]
        return {
            "uri": uri,
            "cid": record["cid"],
            "author": {"did": did, "handle": f"{did[8:11]}.test", "displayName": did[8:11]},
            "record": record["value"],
            "indexedAt": record["indexed"],
            "likeCount": self.likes[uri],
            "repostCount": 0,
            "replyCount": 0,
            "quoteCount": 0,
            "viewer": {"replyDisabled": uri in self.closed},
        }

    def _page(self, uris: list[str], asked: dict[str, list[str]]) -> tuple[list[str], Any]:
        ordered = sorted(uris, key=self._sort_key, reverse=True)
        start = int(asked.get("cursor", ["0"])[0])
        size = min(int(asked.get("limit", ["50"])[0]), self.page_size)
        more = start + size < len(ordered)
        return ordered[start : start + size], {"cursor": str(start + size)} if more else {}

    def _sort_key(self, uri: str) -> str:
        record = self.records[uri]
        return min(str(record["value"].get("createdAt")), record["indexed"])

    def _listNotifications(self, asked: dict[str, list[str]], _data: Any) -> Answer:
        wanted = asked.get("reasons")
        reasons = {uri: why for uri, why in self.notified if not wanted or why in wanted}
        uris, rest = self._page(list(reasons), asked)
        keys = ("uri", "cid", "author", "record")
        listed = [
            {key: self._view(uri)[key] for key in keys}
            | {"reason": reasons[uri], "indexedAt": self._sort_key(uri)}
            for uri in uris
        ]
        return json_answer(200, {"notifications": listed, **rest})

    def _getAuthorFeed(self, asked: dict[str, list[str]], _data: Any) -> Answer:
        own = [uri for uri in self.records if uri.startswith(f"at://{asked['actor'][0]}/")]
        uris, rest = self._page(own, asked)
        return json_answer(200, {"feed": [{"post": self._view(uri)} for uri in uris], **rest})

    def _searchPosts(self, asked: dict[str, list[str]], _data: Any) -> Answer:
        found = [u for u, one in self.records.items() if asked["q"][0] in str(one["value"]["text"])]
        since = asked.get("since", [""])[0]  # honoured by the public network, not by the local one
        found = [uri for uri in found if self._sort_key(uri) >= since]
        uris, rest = self._page(found, asked)
        return json_answer(200, {"posts": [self._view(uri) for uri in uris], **rest})

    def _getPosts(self, asked: dict[str, list[str]], _data: Any) -> Answer:
        if len(asked["uris"]) > 25:
            return error_answer(400, "InvalidRequest", "too many uris")
        shown = [uri for uri in asked["uris"] if uri in self.records and uri not in self.hidden]
        return json_answer(200, {"posts": [self._view(uri) for uri in shown]})

    def _getRecord(self, asked: dict[str, list[str]], _data: Any) -> Answer:
        uri = f"at://{asked['repo'][0]}/{asked['collection'][0]}/{asked['rkey'][0]}"
        if uri not in self.records:
            return error_answer(400, "RecordNotFound", f"Could not locate record: {uri}")
        record = self.records[uri]
        return json_answer(200, {key: record[key] for key in ("uri", "cid", "value")})

    def _putRecord(self, _asked: dict[str, list[str]], data: Any) -> Answer:
        uri = f"at://{data['repo']}/{data['collection']}/{data['rkey']}"
        return json_answer(200, {"uri": uri, "cid": self._put(uri, data["record"])})


@contextmanager
def fake_bluesky() -> Iterator[FakeBluesky]:
    """Run the fake; ``url`` is where."""
    fake = FakeBluesky()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            self._answer(json.loads(self.rfile.read(length) or b"null"))

        def _answer(self, data: Any) -> None:
            parts = urlsplit(self.path)
            method = parts.path.removeprefix("/xrpc/")
            token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
            with lock:
                status, headers, body = fake.answer(method, parse_qs(parts.query), data, token)
            if status == 0:  # hang up
                return
            try:
                self.send_response_only(status)  # without a Date of its own
                for name, value in headers.items():
                    self.send_header(name, value)
                if "content-length" not in headers:
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # the client has given up waiting

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def after(seconds: float, answer: Answer) -> Callable[[], Answer]:
    """An answer that comes late."""

    def wait() -> Answer:
        time.sleep(seconds)
        return answer

    return wait


def hang_up() -> Answer:
    """The connection breaks without an answer."""
    return 0, {}, b""
