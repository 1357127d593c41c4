"""How much an index holds: the document of the public PyPI's ``/stats/``, and a small page for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from pypicloud_lite.catalog.model import ProjectOverview

TOP = 100
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def statistics_json(projects: Sequence[ProjectOverview]) -> bytes:
    """Sizes in bytes; ``top_packages`` has the largest first."""
    top = {str(one.name): {"size": one.size} for one in _largest(projects)}
    document = {"total_packages_size": sum(one.size for one in projects), "top_packages": top}
    return json.dumps(document, separators=(",", ":")).encode()


def statistics_html(projects: Sequence[ProjectOverview]) -> bytes:
    """The same as a table; links lead from ``/stats/``."""
    rows = "".join(
        f'<tr><td><a href="../project/{one.name}/">{escape(one.display_name)}</a></td>'
        f"<td>{_readable(one.size)}</td></tr>\n"
        for one in _largest(projects)
    )
    total = _readable(sum(one.size for one in projects))
    return _PAGE.format(total=total, count=len(projects), rows=rows).encode()


def _largest(projects: Sequence[ProjectOverview]) -> list[ProjectOverview]:
    return sorted(projects, key=lambda one: (-one.size, one.name))[:TOP]


def _readable(size: int) -> str:
    amount, unit = float(size), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004  bytes in a KiB, and so on
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Statistics</title></head>
<body>
<h1>Statistics</h1>
<p>Projects that you may read: {count}, with {total} in all. The largest:</p>
<table>
<thead><tr><th>Project</th><th>Size</th></tr></thead>
<tbody>
{rows}</tbody>
</table>
</body>
</html>
"""
