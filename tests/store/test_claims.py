"""What a killed process held is free at once for the next one on the same host."""

from __future__ import annotations

from store import sources
from store.assessments import claim_unassessed
from store.claims import release_dead
from store.database import Store
from tests.builders import a_brand, a_post, take_in
from tests.conftest import START
from tests.store.test_sources import add_source


def test_claims_of_a_dead_process_are_released_and_those_of_others_kept(store: Store) -> None:
    add_source(store, "one")
    add_source(store, "two")
    with store.write() as session:
        take_in(session, [a_post("1"), a_post("2"), a_post("3")], a_brand(session))
        claim_unassessed(session, "here:11:aa", START, limit=1)
        claim_unassessed(session, "here:22:bb", START, limit=1)
        claim_unassessed(session, "there:11:cc", START, limit=1)
        sources.claim_due(session, "here:11:aa", START, limit=1)
        sources.claim_due(session, "here:22:bb", START, limit=1)
    with store.write() as session:
        assert claim_unassessed(session, "here:33:dd", START) == []
        assert release_dead(session, "here", lambda pid: pid != 11) == 1
        assert len(claim_unassessed(session, "here:33:dd", START)) == 1
        assert [s.name for s in sources.claim_due(session, "here:33:dd", START)] == ["one"]
