"""What a harness raises when its servers cannot run here."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / ".servers"


class ServersMissing(Exception):
    """Programs are missing on this machine; the text says which, and what to do."""
