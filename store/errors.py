"""Errors of the store.

StoreError
├── NewerDatabase      written by a newer version of Groundswell; upgrade the program
├── OutdatedDatabase   needs `groundswell db upgrade`
├── DatabaseFull       the disk is full; free space and go on, nothing is lost
└── DatabaseUnreachable  wrong URL, server down, no rights
"""

from __future__ import annotations


class StoreError(Exception):
    """Something about the database that a person can put right; the text says how."""


class NewerDatabase(StoreError):
    """The database was written by a newer version of Groundswell."""


class OutdatedDatabase(StoreError):
    """The database has not been upgraded to this version yet."""


class DatabaseFull(StoreError):
    """No space is left on the disk."""


class DatabaseUnreachable(StoreError):
    """The database cannot be opened or the server does not answer."""
