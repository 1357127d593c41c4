"""A real Chromium before a live server; nothing on a page may complain, shift while it loads, or shut anybody out."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypicloud_lite.testing.artifacts import BuiltArtifact
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.world import PASSWORDS, basic, user_settings

SHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"
# Said by the browser itself of what moved on the page while nobody touched it.
SHIFTS = """
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts.push(one.value);
    }).observe({ type: "layout-shift", buffered: true });
"""
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}


@pytest.fixture(scope="session")
def chromium(missing) -> Iterator[object]:
    """The browser: Debian's, driven by Playwright."""
    program = shutil.which("chromium")
    if program is None:
        missing("chromium", "there is no program chromium (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        missing("chromium", str(error))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("server")
    settings = {**user_settings(), "pypi.auth": "config sql", "package.secret-tool.group.developers": "rw"}
    with LiveServer(folder, settings, workers=1) as made:
        yield made


@pytest.fixture(scope="module")
def publish(server) -> Callable[[BuiltArtifact], None]:
    """Uploads as an administrator, as twine does."""

    def send(artifact: BuiltArtifact) -> None:
        boundary = "b0undary"
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{artifact.filename}"\r\n\r\n'
        body = head.encode() + artifact.data + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Authorization": basic("admin"), "Content-Type": f"multipart/form-data; boundary={boundary}"}
        with urllib.request.urlopen(urllib.request.Request(f"{server.url}/", body, headers)) as answer:
            assert answer.status == 200

    return send


class Visit:
    """A person with a browser; ``complaints`` is what the console said."""

    def __init__(self, page, url) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.add_init_script(SHIFTS)

    def go(self, path: str):
        self.page.goto(self.url + path)
        assert self.page.evaluate("window.shifts") == [], path
        return self.page

    def log_in(self, user: str = "writer") -> None:
        self.go("/login")
        self.page.get_by_label("User name").fill(user)
        self.page.get_by_label("Password").fill(PASSWORDS[user])
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("button", name="Log out").wait_for()

    def statuses(self) -> list[str]:
        """Of what was refused, of which the console tells; and nothing else that it told."""
        told, self.complaints[:] = [*self.complaints], []
        return [text.partition("status of ")[2][:3] for text in told]

    def shoot(self, name: str) -> None:
        """Screenshots of both widths, light and dark; no serious barrier of WCAG 2.2 AA, by axe-core.

        It looks at each width in one of the colours: what it finds hangs on the layout, or on the colours, not on both.
        """
        SHOTS.mkdir(parents=True, exist_ok=True)
        for width, size in SIZES.items():
            self.page.set_viewport_size(size)
            for scheme in ("light", "dark"):
                self.page.emulate_media(color_scheme=scheme)
                self.page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
                # Nothing is wider than the screen.
                overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert self.page.evaluate(overflow) <= 0, (name, width)
                if (width, scheme) in {("wide", "light"), ("narrow", "dark")}:
                    assert barriers(self.page) == [], (name, width, scheme)
        self.page.set_viewport_size(SIZES["wide"])


def barriers(page) -> list[str]:
    """What axe-core finds serious or worse: the rule, and where on the page it is broken."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found.response["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


@pytest.fixture
def visit(chromium, server) -> Iterator[Visit]:
    context = chromium.new_context(viewport=SIZES["wide"], permissions=["clipboard-read", "clipboard-write"])
    made = Visit(context.new_page(), server.url)
    yield made
    assert made.complaints == []
    context.close()
