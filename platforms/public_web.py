"""Fetching addresses that people typed in: bounded, and only from the public network.

A feed's address may point at our own machines, at once or after a redirect, or its name may be
made to resolve there. So every hop is resolved here, checked, and connected to by the very address
that was checked (https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

from platforms.errors import Limited, NotAllowed, PlatformError, Rejected, Unreachable
from platforms.limits import wait_from_headers

AGENT = "Groundswell/0.1 (feed reader)"
LARGEST = 10 * 2**20
REDIRECTS = 5

_STEP_SECONDS = 15.0
_WHOLE_SECONDS = 60.0
_NAT64 = ip_network("64:ff9b::/96")

Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """What an address answered: 200 with its content, or 304 without."""

    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public network, also where it wraps an IPv4 one."""
    found: IPv4Address | IPv6Address = ip_address(address.split("%")[0])
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _NAT64:
            inner = IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host name. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _CheckedTransport(httpx.BaseTransport):
    """Connects to addresses that were checked, and to nothing else."""

    def __init__(self, allow_private: bool, resolver: Resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolver
        # No connection is used twice: one made for another name on the same address would not
        # have had its certificate checked for this name.
        self._inner = httpx.HTTPTransport(
            trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        failed: httpx.TransportError | None = None
        for address in self._addresses(host, request.url.port or 0):
            checked = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return self._inner.handle_request(checked)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error
        assert failed is not None
        raise failed

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"The name {host} is not known. Check the address.") from error
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise Rejected(
                f"{host} is not on the public network, so it is not fetched. If it is a server of "
                "your own, allow private addresses for this source."
            )
        return addresses

    def close(self) -> None:
        self._inner.close()


class PublicWeb:
    """Fetches pages of at most ``largest`` bytes within a minute, over at most 5 redirects."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        auth: tuple[str, str] | None = None,
        largest: int = LARGEST,
        seconds: float = _STEP_SECONDS,
        resolver: Resolve = resolve,
    ) -> None:
        self._largest = largest
        # Sends a password to the first address only: httpx drops it on the way to other hosts.
        self._client = httpx.Client(
            transport=_CheckedTransport(allow_private, resolver),
            auth=auth,
            timeout=seconds,
            follow_redirects=True,
            max_redirects=REDIRECTS,
            trust_env=False,
            headers={"User-Agent": AGENT, "Accept-Encoding": "gzip"},
        )

    def get(self, url: str, now: datetime, headers: Mapping[str, str] | None = None) -> Page:
        """Fetch an address. ``headers`` may make the request conditional.

        Raises NotAllowed (401, 403), Rejected (gone, not public, too large, too many redirects),
        Limited (429, 503) and Unreachable (everything that may pass).
        """
        try:
            with self._client.stream("GET", url, headers=dict(headers or {})) as response:
                _check(response, now)
                content = b"" if response.status_code == 304 else self._read(response)
                return Page(str(response.url), response.status_code, response.headers, content)
        except httpx.TooManyRedirects as error:
            raise Rejected(
                f"{_host(url)} sends from one address to the next without end. Check the address."
            ) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise Rejected(
                f"{_host(url)} leads to an address that is neither http nor https."
            ) from error
        except httpx.TimeoutException as error:
            raise Unreachable(f"{_host(url)} did not answer in time. It is tried again.") from error
        except httpx.DecodingError as error:
            raise Unreachable(f"{_host(url)} sent an answer that is damaged.") from error
        except httpx.HTTPError as error:
            raise Unreachable(
                f"{_host(url)} cannot be reached or broke off. It is tried again."
            ) from error

    def close(self) -> None:
        """Give connections back. Safe to call twice."""
        self._client.close()

    def _read(self, response: httpx.Response) -> bytes:
        until = time.monotonic() + _WHOLE_SECONDS
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if len(content) > self._largest:
                raise Rejected(
                    f"{response.url.host} sent more than {self._largest // 2**20} MB. That is no "
                    "feed; check the address."
                )
            if time.monotonic() > until:
                raise Unreachable(f"{response.url.host} is too slow. It is tried again.")
        return bytes(content)


def _check(response: httpx.Response, now: datetime) -> None:
    status, host = response.status_code, response.url.host
    if status in (200, 203, 304):
        return
    if status in (401, 403):
        problem: PlatformError = NotAllowed(
            f"{host} refuses access ({status}). Check the user name and password of this source, "
            "or ask the publisher."
        )
    elif status in (404, 410):
        gone = "is no longer there" if status == 410 else "is not there"
        problem = Rejected(f"The address {gone} ({status} from {host}). Enter the new one.")
    elif status in (429, 503):
        problem = Limited(
            f"{host} asks to be called less often ({status}).",
            retry_after=wait_from_headers(dict(response.headers), now),
        )
    elif 400 <= status < 500 and status not in (408, 425):
        problem = Rejected(f"{host} does not accept the request ({status}). Check the address.")
    else:
        problem = Unreachable(f"{host} has a fault of its own ({status}). It is tried again.")
    raise problem


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host or url[:100]
    except (httpx.InvalidURL, ValueError, TypeError):
        return "The address"
