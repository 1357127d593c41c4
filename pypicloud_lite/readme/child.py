"""The process that renders: ``python -m pypicloud_lite.readme.child``, one README after the other on its input.

It ends when its input does, and so with the server, however that ends.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from pypicloud_lite.readme import confinement, frames
from pypicloud_lite.readme.model import Markup

_Renderer = Callable[[Markup, str], str | None]


def main() -> None:
    """Say that it is ready, or why it is not; then answer until the input ends."""
    confinement.limit_resources()
    try:
        # not before the limits
        from pypicloud_lite.readme.markup import LIBRARIES, prepare, to_html

        prepare()
    except Exception as error:  # noqa: BLE001 - whatever the libraries say, the server's log has it
        _send(frames.PROBLEM, f"{type(error).__name__}: {error}")
        return
    confinement.refuse_the_outside(LIBRARIES)
    _send(frames.READY)
    while (asked := frames.requested(sys.stdin.buffer)) is not None:
        confinement.allow_cpu(confinement.CPU_SECONDS)
        if not _answer(*asked, to_html):
            return


def _answer(markup: Markup, text: str, to_html: _Renderer) -> bool:
    """Whether this process is good for another."""
    try:
        html = to_html(markup, text)
    except MemoryError:
        # What is left of it is in pieces.
        _send(frames.EXHAUSTED, "it takes too much memory")
        return False
    except Exception as error:  # noqa: BLE001 - whatever the libraries stumble over
        _send(frames.PROBLEM, f"it cannot be rendered: {type(error).__name__} {str(error)[:100]!a}")
        return True
    if html is None:
        _send(frames.PROBLEM, f"it is not valid {markup.kind}, or empty")
    elif len(html.encode()) > frames.MAX_ANSWER:
        _send(frames.PROBLEM, f"its HTML is larger than {frames.MAX_ANSWER // 1024} KiB")
    else:
        _send(frames.HTML, html)
    return True


def _send(kind: bytes, text: str = "") -> None:
    sys.stdout.buffer.write(frames.framed(kind + text.encode(errors="replace")))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
