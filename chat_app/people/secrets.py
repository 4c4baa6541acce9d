"""Secrets: random values that a client holds, while the database holds their hashes."""

import hashlib
import re
import secrets

SECRET_BYTES = 32
"""Random bytes: 256 bits, more than the 128 that make guessing hopeless, so that a plain hash is safe to store."""
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
"""A secret: `SECRET_BYTES` in URL-safe base64."""


def new_secret() -> str:
    """A new secret, for a cookie or a token."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> str:
    """What is stored of a random secret: SHA-256 in hex. From 128 bits on it needs neither salt nor a slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
