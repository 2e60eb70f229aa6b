"""Secrets at rest: encrypted with a key that lies in a file outside the database.

Fernet (AES-128-CBC with HMAC-SHA256), see https://cryptography.io/en/latest/fernet/. The key file
may hold several keys, the newest first: old values stay readable until they are rewritten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SecretsError(Exception):
    """A secret cannot be read with the keys at hand; the text says what to do."""


class SecretBox:
    """Encrypts and decrypts small JSON documents such as tokens and passwords."""

    def __init__(self, keys: list[bytes]) -> None:
        self._box = MultiFernet([Fernet(key) for key in keys])

    @classmethod
    def open(cls, path: Path) -> SecretBox:
        """Read the key file, making it (mode 0600) when it is not there."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                pass
            else:
                with os.fdopen(handle, "wb") as file:
                    file.write(Fernet.generate_key() + b"\n")
        keys = path.read_bytes().split()
        if not keys:
            raise SecretsError(
                f"{path} is empty. Restore it from your backup; without it the stored credentials "
                "must be entered again."
            )
        try:
            return cls(keys)
        except ValueError as error:
            raise SecretsError(
                f"{path} holds no valid key. Restore it from your backup."
            ) from error

    def seal(self, document: Mapping[str, Any]) -> bytes:
        """Encrypt a JSON document."""
        return self._box.encrypt(json.dumps(dict(document)).encode())

    def unseal(self, sealed: bytes | None) -> dict[str, Any]:
        """Decrypt what ``seal`` gave; nothing gives an empty document."""
        if not sealed:
            return {}
        try:
            opened = json.loads(self._box.decrypt(sealed))
        except InvalidToken as error:
            raise SecretsError(
                "Stored credentials cannot be read with this key file. Restore the key file they "
                "were saved with, or enter them again."
            ) from error
        return dict(opened)
