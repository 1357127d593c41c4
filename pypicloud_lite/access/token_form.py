"""What an API token looks like, and what is kept of it.

A token is ``ppcl_``, 43 characters of base 62 (256 bits) and a checksum of 6 (CRC-32 of what is before it, in the same
alphabet), so that a secret scanner knows one without asking. Kept is its SHA-256, which lets nobody in.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib

PREFIX = "ppcl_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH = 43
_CHECKSUM_LENGTH = 6
_CREDENTIAL = re.compile("token ([0-9]{1,18})", re.ASCII)
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}", re.ASCII)


def new_secret() -> str:
    """A token that nobody has."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    return body + _checksum(body)


def is_token(text: str) -> bool:
    """Whether the text has a token's form, checksum included."""
    return bool(_FORM.fullmatch(text)) and _checksum(text[:-_CHECKSUM_LENGTH]) == text[-_CHECKSUM_LENGTH:]


def looks_like_token(text: str) -> bool:
    """Whether whoever wrote the text meant a token."""
    return text.startswith(PREFIX)


def digest_of(secret: str) -> str:
    """What is kept of a secret of 256 random bits: no salt and no slow hash make it safer."""
    return hashlib.sha256(secret.encode()).hexdigest()


def number_in(credential: str | None) -> int:
    """The number of the token that a caller proved itself with (``token N``); 0, which none has, for another proof."""
    found = _CREDENTIAL.fullmatch(credential or "")
    return int(found[1]) if found else 0


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
