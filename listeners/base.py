"""What every listener is: the protocol, and its one error.

A listener declares where it goes on (its cursor) and yields batches; it stores nothing. The
pipeline commits each batch together with its cursor, so a process may die at any instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Protocol

from store.posts import Batch, Cursor


class ListenerError(Exception):
    """A run that could not go on. The text is for staff: what happened and what to do.

    ``permanent`` means that trying again will not help until a person acts (wrong password,
    expired token): the source is paused. Otherwise it is tried again, after ``retry_after`` where
    the platform named a time. ``limited`` marks a rate limit, which is an outcome and no fault.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        retry_after: timedelta | None = None,
        limited: bool = False,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
        self.limited = limited


class Listener(Protocol):
    """One source on one platform.

    The caller may rely on this:

    - ``fetch(None)`` starts from the beginning of what the platform still has (or from now, where
      the platform pushes); ``fetch(cursor)`` gives everything since that cursor, perhaps some of
      it again, and never leaves a post out.
    - Each batch may be stored and its cursor saved before the next one is asked for. A batch whose
      ``cursor`` is None must not move the saved one.
    - Edits come as the same identity with a newer ``edited_at``; deletions as removals.
    - Every failure is a ``ListenerError``. No call blocks for longer than its timeout, and no
      rate limit is slept on.
    """

    platform: str

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Yield what is new, oldest first where the platform allows it."""
        ...

    def close(self) -> None:
        """Give connections back. Safe to call twice."""
        ...
