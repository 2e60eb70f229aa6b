"""Imports go downward only, as the contract in pyproject.toml says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_imports_go_downward_only() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "1 kept, 0 broken" in found.stdout


def test_no_file_of_the_dashboard_hides_a_top_level_package() -> None:
    top = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    hiding = {path.stem for path in (ROOT / "dashboard").glob("*.py")} & top
    assert hiding == set()
