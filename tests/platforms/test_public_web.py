from __future__ import annotations

from collections.abc import Iterator

import pytest

from platforms.errors import Rejected, Unreachable
from platforms.public_web import PublicWeb, is_public
from tests.conftest import START
from tests.platforms.web_site import Site


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()
    yield served
    served.close()


def test_a_redirect_from_a_public_place_to_a_private_one_is_refused(site: Site) -> None:
    site.answers["/feed.xml"] = (302, {"Location": f"http://inside.test:{site.port}/"}, b"")
    # The first hop is let through by calling loopback public; the second resolves as it is.
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["10.0.0.7"] if host == "inside.test" else ["127.0.0.1"]

    web = PublicWeb(resolver=resolver)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("platforms.public_web.is_public", lambda address: address == "127.0.0.1")
        with pytest.raises(Rejected, match=r"inside\.test is not on the public network"):
            web.get(f"http://feeds.test:{site.port}/feed.xml", START)
    web.close()
    assert asked == ["feeds.test", "inside.test"]
    assert [path for path, _ in site.requests] == ["/feed.xml"]
    assert site.requests[0][1]["Host"] == f"feeds.test:{site.port}"


def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    web = PublicWeb(resolver=lambda host, port: ["93.184.216.34", "192.168.1.1"])
    with pytest.raises(Rejected, match="not on the public network"):
        web.get("http://mixed.test/", START)
    web.close()


def test_an_unknown_name_is_tried_again() -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise OSError

    web = PublicWeb(resolver=resolver)
    with pytest.raises(Unreachable, match=r"The name no\.test is not known"):
        web.get("http://no.test/", START)
    web.close()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_public_addresses_are_told_from_private_ones(address: str, public: bool) -> None:
    assert is_public(address) is public
