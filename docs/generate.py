"""Writes the parts of docs/ that come from the code: settings.md and commands.md.

Run with ``make docs``; a test compares the files with what this gives.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer.main

from service.cli import app
from service.settings import PREFIX, Settings

DOCS = Path(__file__).parent


def settings_page() -> str:
    """The table of settings."""
    lines = [
        "# Settings",
        "",
        "Read once at the start, from environment variables, then `groundswell.toml` in the",
        "working directory (or the file that `GROUNDSWELL_CONFIG` names), then the defaults. An",
        "unknown name or a bad value stops the start with a message that says which and why. What",
        "staff change (brands, queries, sources, rules, service levels, people) is edited in the",
        "dashboard.",
        "",
        "| setting | environment variable | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = (
            "`./data`" if name == "data_dir" else f"`{field.default}`" if field.default else ""
        )
        default = "`0`" if field.default == 0 else default
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{name}` | `{PREFIX}{name.upper()}` | {default} | {meaning} |")
    example = [
        "",
        "```toml",
        "# groundswell.toml",
        'database_url = "postgresql://groundswell:secret@localhost/groundswell"',
        'base_url = "https://desk.example.org"',
        "port = 8600",
        "```",
        "",
    ]
    return "\n".join([*lines, *example])


def commands_page() -> str:
    """Every command with its options."""
    root = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        "`groundswell COMMAND --help` says the same at the terminal. Files are read and written by",
        "their ending: `.csv`, `.tsv`, `.jsonl` (each also with `.gz`), `.parquet`, `.xlsx`. Exit",
        "codes: 0 done, 1 something went wrong (the message says what to do), 2 wrong usage, 130",
        "interrupted.",
        "",
    ]
    lines += _describe(root, "groundswell")
    return "\n".join(lines)


def _describe(command: Any, path: str) -> list[str]:
    children = getattr(command, "commands", None)
    if children is not None:
        return [
            line for name, child in children.items() for line in _describe(child, f"{path} {name}")
        ]
    arguments = [one for one in command.params if _is_argument(one)]
    options = [one for one in command.params if not _is_argument(one)]
    words = "".join(f" {_shown(one)}" for one in arguments)
    lines = [f"## `{path}{words}`", "", (command.help or "").strip(), ""]
    rows = [(f"`{_shown(one)}`", one.help or "") for one in arguments]
    rows += [
        (", ".join(f"`{name}`" for name in [*one.opts, *one.secondary_opts]), one.help or "")
        for one in options
    ]
    if rows:
        lines += ["| | |", "|---|---|", *(f"| {name} | {meaning} |" for name, meaning in rows), ""]
    return lines


def _shown(argument: Any) -> str:
    return str(argument.metavar or argument.name).strip("[]").upper()


def _is_argument(parameter: object) -> bool:
    return getattr(parameter, "param_type_name", "") == "argument"


def main() -> None:
    """Write both pages."""
    (DOCS / "settings.md").write_text(settings_page(), encoding="utf-8")
    (DOCS / "commands.md").write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
