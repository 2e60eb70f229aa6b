"""Logs hold ids and counts, never what is private."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from service import logs
from service.settings import Settings


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> object:
    handlers = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers = handlers
    structlog.reset_defaults()


def test_private_values_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Settings(log_format="json"))
    structlog.get_logger().info(
        "reply tried", reply=7, text="secret words", api_token="abc", author_email="a@b.c"
    )
    line = json.loads(capsys.readouterr().err)
    assert line["reply"] == 7
    assert line["event"] == "reply tried"
    assert [line[key] for key in ("text", "api_token", "author_email")] == ["[left out]"] * 3


def test_errors_come_with_their_trace_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Settings(log_format="json"))
    try:
        raise ValueError("odd")
    except ValueError:
        structlog.get_logger().exception("stage failed", stage="assess")
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "ValueError: odd" in json.loads(lines[0])["exception"]
