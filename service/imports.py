"""Importing files: posts in, mentions stored as history unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session

from crisis.learning import relearn
from listeners.files import FileImport, ImportBatch, read_posts, rejects_path
from service.wiring import Services
from store.brands import ensure_brand
from store.ingest import BrandHit, Incoming, Ingested, ingest


@dataclass(slots=True)
class ImportReport:
    """What came of an import, in rows of the file."""

    stored: Ingested = field(default_factory=Ingested)
    rejected: int = 0
    damaged_lines: int = 0
    rejects: Path | None = None
    new_brands: list[str] = field(default_factory=list)


def import_file(
    services: Services,
    path: Path,
    options: FileImport,
    *,
    live: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Store the posts of a file, page by page; a second run of the same file adds nothing.

    ``on_progress`` is called with bytes read and bytes in all. Raises TableError when the file or
    its columns do not fit; what was stored until then stays, and a new run goes on from there.
    """
    report = ImportReport()
    brands: dict[str, int] = {}
    for page in read_posts(path, options, now=services.clock.now(), on_progress=on_progress):
        report.stored += _store(services, page, brands, report.new_brands, live)
        report.rejected += page.rejected
        report.damaged_lines = page.damaged_lines
    if report.stored.added and not live:
        _learn(services, brands)
    if report.rejected:
        report.rejects = options.rejects or rejects_path(path)
    return report


def _learn(services: Services, brands: dict[str, int]) -> None:
    """Let the detectors of brands that are watched already learn from their new past."""
    now = services.clock.now()
    for brand_id in brands.values():
        services.store.transact(
            lambda session, brand_id=brand_id: relearn(session, brand_id, now)  # type: ignore[misc]
        )


def _store(
    services: Services,
    page: ImportBatch,
    brands: dict[str, int],
    new_brands: list[str],
    live: bool,
) -> Ingested:
    def work(session: Session) -> tuple[Ingested, dict[str, int], list[str]]:
        known, made = dict(brands), []
        now = services.clock.now()
        for name in {name for _, name in page.rows} - known.keys():
            brand = ensure_brand(session, name, now)
            known[name] = brand.id
            if brand.created_at == now:
                made.append(brand.name)
        incoming = [Incoming(post, [BrandHit(known[name])]) for post, name in page.rows]
        return ingest(session, incoming, live=live, now=now), known, made

    stored, known, made = services.store.transact(work)
    brands.update(known)
    new_brands += sorted(made)
    return stored
