"""Secrets: random values that a client holds, and of which the database holds a hash."""

import hashlib
import re
import secrets

SECRET_BYTES = 32
"""256 random bits; more than the 128 that make guessing hopeless, so that the plain hash of it is safe to store."""
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
"""A secret: `SECRET_BYTES` in URL-safe base64."""


def new_secret() -> str:
    """A fresh cookie value."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> str:
    """What is stored of a random secret; 128 bits and more of it need neither salt nor a slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
