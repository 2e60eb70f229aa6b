"""Which conversation a post belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store.bulk import KEYS, insert_new
from store.models import Conversation, Mention, TicketConversation
from store.posts import Post


class Threads:
    """Finds or opens the conversation of each post of a page.

    A post whose parent is stored joins its conversation. Otherwise a conversation is opened under
    the id of the thread's root as far as we know it, so that the parent joins it when it comes.
    When a later post shows that two conversations are one, the younger is merged into the older,
    and a conversation is renamed when the true root above its old one becomes known.
    """

    def __init__(self, session: Session, platform: str, namespace: str, now: datetime) -> None:
        self.session = session
        self.platform = platform
        self.namespace = namespace
        self.now = now

    def place(self, posts: Sequence[Post]) -> dict[str, int]:
        """Conversation ids by the posts' external ids."""
        above = {
            post.external_id: post.conversation or post.in_reply_to or post.external_id
            for post in posts
        }
        direct = {post.external_id: post.in_reply_to for post in posts if post.in_reply_to}
        groups = _groups(above, direct)
        names = {name for group in groups.values() for name in group}
        of_mention, of_key = self._of_mentions(names - above.keys()), self._of_keys(names)
        result: dict[str, int] = {}
        missing: dict[str, list[str]] = {}
        for root, group in groups.items():
            found = {of_mention[name] for name in group if name in of_mention}
            found |= {of_key[name] for name in group if name in of_key}
            if found:
                keeper = self._merge(found)
                if of_key.get(root) != keeper and keeper in {of_key.get(name) for name in group}:
                    self._rename(keeper, root)
                result |= dict.fromkeys(group, keeper)
            else:
                missing[root] = group
        if missing:
            opened = self._open(sorted(missing))
            for root, group in missing.items():
                result |= dict.fromkeys(group, opened[root])
        return result

    def _of_mentions(self, names: set[str]) -> dict[str, int]:
        """The conversations of stored mentions by their external ids."""
        if not names:
            return {}
        rows = self.session.execute(
            select(Mention.external_id, Mention.conversation_id)
            .where(Mention.platform == self.platform, Mention.namespace == self.namespace)
            .where(Mention.external_id.in_(KEYS)),
            {"keys": list(names)},
        )
        return dict(rows.all())

    def _of_keys(self, names: set[str]) -> dict[str, int]:
        """Conversations by the id they were opened under."""
        rows = self.session.execute(
            select(Conversation.external_id, Conversation.id)
            .where(Conversation.platform == self.platform)
            .where(Conversation.namespace == self.namespace)
            .where(Conversation.external_id.in_(KEYS)),
            {"keys": list(names)},
        )
        return dict(rows.all())

    def _open(self, roots: Sequence[str]) -> dict[str, int]:
        rows: list[dict[str, Any]] = [
            {
                "platform": self.platform,
                "namespace": self.namespace,
                "external_id": root,
                "created_at": self.now,
            }
            for root in roots
        ]
        opened = insert_new(self.session, Conversation, rows)
        late = set(roots) - opened.keys()
        return opened | self._of_keys(late) if late else opened

    def _merge(self, found: set[int]) -> int:
        keeper, *others = sorted(found)
        for other in others:
            tickets = set(
                self.session.scalars(
                    select(TicketConversation.conversation_id).where(
                        TicketConversation.conversation_id.in_([keeper, other]),
                        TicketConversation.active,
                    )
                )
            )
            if len(tickets) == 2:
                continue  # two tickets are two cases until a person merges them
            key = self.session.scalars(
                select(Conversation.external_id).where(Conversation.id == other)
            ).one()
            self._rename(other, f"{key[:360]} merged into {keeper}")
            self.session.execute(
                update(Mention)
                .where(Mention.conversation_id == other)
                .values(conversation_id=keeper)
            )
            if other in tickets:
                self.session.execute(
                    update(TicketConversation)
                    .where(TicketConversation.conversation_id == other)
                    .values(conversation_id=keeper)
                )
        return keeper

    def _rename(self, conversation: int, key: str) -> None:
        if key in self._of_keys({key}):
            return  # held by the conversation of another ticket
        self.session.execute(
            update(Conversation).where(Conversation.id == conversation).values(external_id=key)
        )


def _groups(above: Mapping[str, str], direct: Mapping[str, str]) -> dict[str, list[str]]:
    """Names that belong to one thread, by the topmost name known of it."""
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for links in (direct, above):  # the given root is linked last, so that it ends on top
        for name, upper in links.items():
            low, high = find(name), find(upper)
            if low != high:
                parent[low] = high
    groups: dict[str, list[str]] = defaultdict(list)
    for name in parent:
        groups[find(name)].append(name)
    return groups
