"""Routes whose methods are declared: any other is 405 with ``Allow``, never a 404 and never another view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request

from pypicloud_lite.web.errors import tell

View = Callable[[Request], Any]


def add_resource(config: Configurator, name: str, *patterns: str, **methods: View) -> None:
    """Add one resource under one or more patterns; keywords are methods, GET also serves HEAD.

    One view for each route, which looks at the method itself: Pyramid would take twice as long to start with one for
    each method, and choose among them at every request.
    """
    if "GET" in methods:
        methods = {**methods, "HEAD": methods["GET"]}
    allowed = sorted(methods)

    def answer(request: Request) -> Any:
        view = methods.get(request.method)
        if view is not None:
            return view(request)
        message = f"{request.method} is not possible here: use {' or '.join(allowed)}"
        return tell(request, 405, message, "method-not-allowed", [("Allow", ", ".join(allowed))])

    for number, pattern in enumerate(patterns):
        route = f"{name}.{number}"
        config.add_route(route, pattern)
        config.add_view(answer, route_name=route)
