"""Text that may stand in an XML document."""

from __future__ import annotations

import re

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """``text`` without the characters that XML 1.0 has no place for, escaped or not."""
    return _NOT_XML.sub("", text)
