"""Replying on a real PDS, seen through a real AppView."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from listeners.bluesky import BlueskyListener
from platforms.bluesky import BlueskyClient, forget_sessions
from responder.channels.base import ReplyChannel, ReplyError
from responder.channels.bluesky import BlueskyChannel
from store.clock import SystemClock
from tests.listeners.contract import run
from tests.postgres import free_port
from tests.responder.channels.contract import ChannelContract, outgoing
from tests.servers.bluesky_network import Account, BlueskyNetwork

pytestmark = pytest.mark.servers


_made: list[BlueskyChannel] = []


@pytest.fixture
def acme(bluesky_network: BlueskyNetwork) -> Iterator[Account]:
    forget_sessions()
    yield bluesky_network.account("acme")
    while _made:
        _made.pop().close()


@pytest.fixture
def bob(bluesky_network: BlueskyNetwork) -> Account:
    return bluesky_network.account("bob")


def channel_for(account: Account, service: str = "", password: str = "") -> BlueskyChannel:
    channel = BlueskyChannel.from_config(
        {"service": service or account.network.pds, "handle": account.handle},
        {"app_password": password or account.app_password()},
        SystemClock(),
    )
    _made.append(channel)
    return channel


class RealWorld:
    def __init__(self, acme: Account, bob: Account) -> None:
        self.acme, self.bob = acme, bob

    def channel(self) -> ReplyChannel:
        return channel_for(self.acme)

    def mention(self) -> Mapping[str, Any]:
        return self.bob.post("my kettle broke", mention=self.acme).channel_ref

    def arrived(self) -> list[str]:
        return [record["value"]["text"] for record in self.acme.posts()]

    def refused(self) -> ReplyChannel | None:
        return channel_for(self.acme, password="wrong")

    def unreachable(self) -> ReplyChannel | None:
        return channel_for(self.acme, service=f"http://localhost:{free_port()}")


class TestBlueskyNetworkContract(ChannelContract):
    @pytest.fixture
    def world(self, acme: Account, bob: Account) -> RealWorld:
        return RealWorld(acme, bob)


def test_the_reply_lands_below_the_customers_post_in_the_right_thread(
    acme: Account, bob: Account
) -> None:
    root = bob.post("who else has this kettle?")
    complaint = bob.post("it leaks", reply_to=root, mention=acme)
    listener = BlueskyListener.from_config(
        {"service": acme.network.pds, "handle": acme.handle},
        {"app_password": acme.app_password()},
        SystemClock(),
    )
    posts, cursor = run(listener)
    (mention,) = [post for post in posts if post.external_id == complaint.uri]
    channel = channel_for(acme)
    sent = channel.send(outgoing(channel, mention.channel_ref, "Please write to us."))
    acme.network.settle()

    below = acme.thread(complaint)["replies"]
    assert [reply["post"]["uri"] for reply in below] == [sent.external_id]
    assert below[0]["post"]["record"]["text"] == "Please write to us."
    assert below[0]["post"]["record"]["reply"]["root"]["uri"] == root.uri
    heard = bob.ask("app.bsky.notification.listNotifications")["notifications"]
    assert [one["uri"] for one in heard if one["reason"] == "reply"] == [sent.external_id]

    # It comes back as our own, under the name that it was sent with.
    posts, _ = run(listener, cursor)
    assert [
        (post.external_id, post.direction) for post in posts if post.text == "Please write to us."
    ] == [(sent.external_id, "outbound")]


def test_sending_twice_is_one_record_with_one_content_id(acme: Account, bob: Account) -> None:
    to = bob.post("hello", mention=acme).channel_ref
    channel = channel_for(acme)
    reply = outgoing(channel, to)
    channel.send(reply)
    (first,) = acme.posts()
    channel_for(acme).send(reply)
    (second,) = acme.posts()
    assert (first["uri"], first["cid"]) == (second["uri"], second["cid"])


@contextmanager
def deaf_way_back(target: str) -> Iterator[tuple[str, threading.Event]]:
    """A relay to the server that, once told, passes requests on and keeps the answers."""
    host, port = "localhost", int(target.rsplit(":", 1)[1])
    deaf, stop = threading.Event(), threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.1)
    threads: list[threading.Thread] = []

    def pump(source: socket.socket, sink: socket.socket, back: bool) -> None:
        source.settimeout(0.1)
        while not stop.is_set():
            try:
                data = source.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if not data:
                break
            if back and deaf.is_set():
                continue
            try:
                sink.sendall(data)
            except OSError:
                break

    def serve() -> None:
        while not stop.is_set():
            try:
                client, _ = listening.accept()
            except TimeoutError:
                continue
            server = socket.create_connection((host, port))
            opened.extend([client, server])
            for one in ((client, server, False), (server, client, True)):
                threads.append(threading.Thread(target=pump, args=one))
                threads[-1].start()

    opened: list[socket.socket] = [listening]
    acceptor = threading.Thread(target=serve)
    acceptor.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", deaf
    finally:
        stop.set()
        acceptor.join()
        for thread in threads:
            thread.join()
        for one in opened:
            one.close()


def test_a_timeout_after_the_server_took_it_is_found_and_not_sent_again(
    acme: Account, bob: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = bob.post("hello", mention=acme).channel_ref
    password = acme.app_password()
    with deaf_way_back(acme.network.pds) as (relay, deaf):
        client = BlueskyClient(relay, acme.handle, password, SystemClock(), timeout=1.5)
        channel = BlueskyChannel(client)
        reply = outgoing(channel, to)
        assert channel.find(reply) is None
        # The session names the server itself; stay on the relay.
        assert client._client is not None
        client._client.update_base_url(relay)
        put = client.procedure

        def put_and_hear_nothing(method: str, data: Mapping[str, Any]) -> dict[str, Any]:
            deaf.set()
            return put(method, data)

        monkeypatch.setattr(client, "procedure", put_and_hear_nothing)
        with pytest.raises(ReplyError, match="did not answer in time") as caught:
            channel.send(reply)
        channel.close()
    assert caught.value.maybe_sent
    found = channel_for(acme).find(reply)
    assert found is not None
    assert [record["uri"] for record in acme.posts()] == [found.external_id]


def test_300_graphemes_go_and_301_do_not(acme: Account, bob: Account) -> None:
    to = bob.post("hello", mention=acme).channel_ref
    channel = channel_for(acme)
    full = "退" * 200 + "👍🏽" * 100
    channel.send(outgoing(channel, to, full))
    with pytest.raises(ReplyError, match="301 characters"):
        channel.send(outgoing(channel, to, full + "!"))
    assert [record["value"]["text"] for record in acme.posts()] == [full]
    # The server counts as we do: it refuses the same text when it is asked without us.
    answer = acme.network.http.post(
        f"{acme.network.pds}/xrpc/com.atproto.repo.createRecord",
        json={
            "repo": acme.did,
            "collection": "app.bsky.feed.post",
            "record": acme._record(full + "!", None, None, None, None, None),
        },
        headers=acme._headers,
    )
    assert answer.status_code == 400


def test_a_deleted_post_and_a_closed_thread_are_said_so(acme: Account, bob: Account) -> None:
    channel = channel_for(acme)
    gone, closed = bob.post("oops", mention=acme), bob.post("no answers", mention=acme)
    bob.delete(gone)
    bob.allow_no_replies(closed)
    with pytest.raises(ReplyError, match="not on Bluesky any more") as caught:
        channel.send(outgoing(channel, gone.channel_ref))
    assert caught.value.permanent
    with pytest.raises(ReplyError, match="limited who may answer") as caught:
        channel.send(outgoing(channel, closed.channel_ref))
    assert caught.value.permanent
    assert acme.posts() == []


def test_a_link_in_a_reply_can_be_clicked(acme: Account, bob: Account) -> None:
    channel = channel_for(acme)
    to = {**bob.post("hello", mention=acme).channel_ref, "author_handle": bob.handle}
    body = f"Grüße @{bob.handle}: https://acme.example/help"
    channel.send(outgoing(channel, {**to, "author_did": bob.did}, body))
    facets = acme.posts()[0]["value"]["facets"]
    assert [facet["features"][0]["$type"].split("#")[1] for facet in facets] == ["mention", "link"]
