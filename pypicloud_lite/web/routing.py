"""Routes whose methods are declared: any other is 405 with ``Allow``, never a 404 and never another view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request

from pypicloud_lite.web.errors import tell

View = Callable[[Request], Any]
_ANSWERS = "pypicloud_lite.answers"


def add_resource(config: Configurator, name: str, *patterns: str, **methods: View) -> None:
    """Add one resource under one or more patterns; keywords are methods, GET also serves HEAD."""
    if "GET" in methods:
        methods = {**methods, "HEAD": methods["GET"]}
    allowed = sorted(methods)

    def answer(request: Request) -> Any:
        view = methods.get(request.method)
        if view is not None:
            return view(request)
        message = f"{request.method} is not possible here: use {' or '.join(allowed)}"
        return tell(request, 405, message, "method-not-allowed", [("Allow", ", ".join(allowed))])

    answers = _answers(config)
    for number, pattern in enumerate(patterns):
        route = f"{name}.{number}"
        config.add_route(route, pattern, use_global_views=True)
        answers[route] = answer


def _answers(config: Configurator) -> dict[str, View]:
    """By the name of the route."""
    answers: dict[str, View] | None = config.registry.get(_ANSWERS)
    if answers is not None:
        return answers
    new: dict[str, View] = {}
    config.registry[_ANSWERS] = new

    def answer(request: Request) -> Any:
        route = request.matched_route
        if route is None:
            # What Pyramid itself takes for the root, such as "//".
            raise HTTPNotFound
        return new[route.name](request)

    # One view of Pyramid's for all routes: with one for each, it takes twice as long to start.
    config.add_view(answer)
    return new
