"""Fixtures: one Bluesky network and one mail server for the whole run.

Where the servers are not installed the tests are skipped with what to do; where CI is set they
fail, so that a green run never means "nothing ran".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.servers.bluesky_network import BlueskyNetwork, bluesky
from tests.servers.errors import ServersMissing
from tests.servers.mail import MailServer
from tests.servers.mail import mail_server as start_mail_server


def _or_skip(missing: ServersMissing) -> None:
    if os.environ.get("CI"):
        pytest.fail(str(missing))
    pytest.skip(str(missing))


@pytest.fixture(scope="session")
def bluesky_network() -> Iterator[BlueskyNetwork]:
    """A PLC directory, a PDS and an AppView. Make accounts with ``.account(name)``."""
    with ExitStack() as stack:
        try:
            network = stack.enter_context(bluesky())
        except ServersMissing as missing:
            _or_skip(missing)
        yield network


@pytest.fixture(scope="session")
def mail_server() -> Iterator[MailServer]:
    """Dovecot and Postfix. Make mailboxes with ``.add_mailbox(address)``."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(start_mail_server())
        except ServersMissing as missing:
            _or_skip(missing)
        yield server
