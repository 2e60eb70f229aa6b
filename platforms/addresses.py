"""Addresses of services, checked before a password is sent to them."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def service_address(url: str) -> str:
    """A service's base URL without a trailing slash.

    Raises ValueError when it is no web address, or would send a password unencrypted to another
    machine.
    """
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("give the full address, such as https://bsky.social")
    if parts.username or parts.password:
        raise ValueError("an address holds no user name or password; enter them in their fields")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("only https is possible, since a password is sent to it")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
