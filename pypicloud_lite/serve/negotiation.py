"""Which form of an index page a caller gets, and how compressed (PEP 691; RFC 9110 section 12)."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType


class Representation(StrEnum):
    """The forms of an index page; each value is the Content-Type to answer with.

    In the order in which they are taken when several are named with the same q.
    """

    JSON = "application/vnd.pypi.simple.v1+json"
    V1_HTML = "application/vnd.pypi.simple.v1+html"
    HTML = "text/html"


class Coding(StrEnum):
    """How a page may be compressed; each value is the Content-Encoding to answer with."""

    ZSTD = "zstd"
    GZIP = "gzip"


_KNOWN = MappingProxyType(
    {
        **{member.value: member for member in Representation},
        "application/vnd.pypi.simple.latest+json": Representation.JSON,
        "application/vnd.pypi.simple.latest+html": Representation.V1_HTML,
    }
)
_BY_WILDCARD = (Representation.HTML, Representation.V1_HTML, Representation.JSON)
_MAX_HEADER = 1024
_Q = re.compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?|\.[0-9]+", re.ASCII)


def negotiate(accept: str | None, format_parameter: str | None) -> Representation:
    """Choose by ``?format=``, else by ``Accept``.

    ``?format=`` counts only when it is exactly one of the known types (a ``+`` that form decoding made a
    space is still a ``+``). The highest q wins; among equals a type that is named beats a wildcard. A
    wildcard gives HTML where that is not refused: clients that send ``*/*`` parse anchors. With nothing
    acceptable, no header, or one of more than 1024 characters the answer is HTML too, never 406: pip would
    see no candidates and uv would stop, although another index may have the project. Never raises.
    """
    chosen = _KNOWN.get((format_parameter or "").replace(" ", "+"))
    if chosen is not None:
        return chosen
    if not accept or len(accept) > _MAX_HEADER:
        return Representation.HTML
    return _by_accept(accept)


def choose_coding(accept_encoding: str | None) -> Coding | None:
    """The coding of highest q, zstd before gzip among equals; None is "as it is".

    So it is when ``identity`` is liked better than both, with nothing known, and without a header, although
    RFC 9110 would then allow any coding. ``*`` stands for gzip alone: zstd goes only to whoever names it.
    Never raises.
    """
    if not accept_encoding or len(accept_encoding) > _MAX_HEADER:
        return None
    return _by_accept_encoding(accept_encoding)


@lru_cache(maxsize=256)
def _by_accept(header: str) -> Representation:
    ranges = _weights(header)
    best, best_rank = Representation.HTML, (0.0, 0)
    for candidate in _BY_WILDCARD:
        rank = _rank(candidate, ranges)
        if rank[0] > 0 and rank > best_rank:
            best, best_rank = candidate, rank
    return best


def _rank(candidate: Representation, ranges: dict[str, float]) -> tuple[float, int]:
    """Its q by the most specific range that covers it, then how it was named."""
    q = max(
        (ranges[name] for name, member in _KNOWN.items() if member is candidate and name in ranges),
        default=None,
    )
    if q is not None:
        return q, 3 - list(Representation).index(candidate)
    for wildcard in (f"{candidate.partition('/')[0]}/*", "*/*"):
        if wildcard in ranges:
            return ranges[wildcard], 0
    return 0.0, 0


@lru_cache(maxsize=256)
def _by_accept_encoding(header: str) -> Coding | None:
    codings = _weights(header)
    gzip = max((codings[name] for name in ("gzip", "x-gzip") if name in codings), default=codings.get("*", 0.0))
    weights = {Coding.ZSTD: codings.get("zstd", 0.0), Coding.GZIP: gzip}
    # The first of equals.
    best = max(weights, key=weights.__getitem__)
    return best if weights[best] > 0 and weights[best] >= codings.get("identity", 0.0) else None


def _weights(header: str) -> dict[str, float]:
    """Read each element with its highest q; other parameters mean nothing here.

    An element with a malformed q is as if it were not there.
    """
    weights: dict[str, float] = {}
    for element in header.split(","):
        name, *parameters = (part.strip() for part in element.lower().split(";"))
        pairs = (parameter.partition("=") for parameter in parameters)
        q = next((value.strip() for key, _equals, value in pairs if key.strip() == "q"), "1")
        if name and _Q.fullmatch(q):
            weights[name] = max(float(q), weights.get(name, 0.0))
    return weights
