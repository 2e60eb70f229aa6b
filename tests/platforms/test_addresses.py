"""Addresses that passwords are sent to."""

from __future__ import annotations

import pytest

from platforms.addresses import is_loopback, service_address


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://bsky.social", "https://bsky.social"),
        (" https://pds.acme.example/ ", "https://pds.acme.example"),
        ("https://acme.example/pds/", "https://acme.example/pds"),
        ("http://localhost:2583", "http://localhost:2583"),
        ("http://127.0.0.1:2583/", "http://127.0.0.1:2583"),
        ("http://[::1]:2583", "http://[::1]:2583"),
    ],
)
def test_good_addresses_are_kept_without_a_slash_at_the_end(given: str, address: str) -> None:
    assert service_address(given) == address


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("", "full address"),
        ("bsky.social", "full address"),
        ("ftp://bsky.social", "full address"),
        ("https://", "full address"),
        ("https://[bad", "full address"),
        ("http://bsky.social", "only https"),
        ("http://localhost.evil.example", "only https"),
        ("http://127.0.0.1.evil.example", "only https"),
        ("http://10.0.0.7", "only https"),
        ("https://me:secret@bsky.social", "no user name or password"),
    ],
)
def test_addresses_that_would_leak_a_password_are_refused(given: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        service_address(given)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "ours"),
    [("localhost", True), ("127.3.2.1", True), ("[::1]", True), ("0.0.0.0", False), ("lo", False)],
)
def test_only_this_machine_is_loopback(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours
