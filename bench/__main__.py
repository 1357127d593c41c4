"""``python -m bench``: ratios of CPU per request, in one run.

Each line is asked of a bare Pyramid view under the same gunicorn, of nginx and of this server in turns, all with the
same bytes. CPU is what the operating system says that a server's processes have used; rounds that other programs
disturbed are marked, and left out where there are quiet ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import lines as todo
from bench import report
from bench.accounting import Meter
from bench.data import big_wheel, fill, fill_upstream, small_wheel
from bench.load import Answers, each_once, fetch, for_seconds
from bench.profiling import profile
from bench.servers import Bare, Nginx, Ours, Resource
from bench.starting import cold_starts, memory
from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.testing.artifacts import BuiltArtifact
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.upstream_server import upstream_server

OURS, BARE, NGINX = Ours.name, Bare.name, Nginx.name
_PROFILED = 320


def main() -> None:
    options = _options()
    names = options.only.split(",") if options.only else list(todo.NAMES)
    if unknown := sorted(set(names) - set(todo.NAMES)):
        raise SystemExit(f"no such line: {', '.join(unknown)}; there are {', '.join(todo.NAMES)}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        Bench(Path(folder), options, names).run(stack)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", help=f"lines, separated by commas: {', '.join(todo.NAMES)}")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each line")
    parser.add_argument("--seconds", type=float, default=0.7, help="length of a turn")
    parser.add_argument("--uploads", type=int, default=200, help="files of a turn")
    parser.add_argument("--starts", type=int, default=3, help="cold starts of each kind; 0 leaves them out")
    parser.add_argument(
        "--profile", metavar="LINE", choices=todo.NAMES, help="profile this line instead of the most expensive one"
    )
    parser.add_argument("--no-profile", action="store_true")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every round there too")
    return parser.parse_args()


class Bench:
    """One run."""

    def __init__(self, folder: Path, options: argparse.Namespace, names: Sequence[str]) -> None:
        self.folder = folder
        self.options = options
        self.names = names
        self.lines: dict[str, report.Line] = {}
        self.uploaded = 0
        self.settings = {
            "auth.admins": "ci",
            "user.ci": hash_password("secret"),
            "pypi.default_read": "everyone",
            "storage.reserve": "0",
        }

    def run(self, stack: ExitStack) -> None:
        upstream = stack.enter_context(upstream_server())
        mirrored = fill_upstream(upstream)
        settings = {
            **self.settings,
            "pypi.fallback": "cache",
            "pypi.fallback_base_url": upstream.url,
            # Asked once: what is measured is what comes from here.
            "mirror.freshness": "1 day",
        }
        live = LiveServer(self.folder / "server", settings, workers=1)
        fill(live.config, todo.SIZES, height=10)
        ours = Ours(stack.enter_context(live))
        resources = self._resources(ours, mirrored)
        bare = Bare(self.folder / "bare", resources)
        starts = cold_starts(self.folder, self.settings, bare, self.options.starts) if self.options.starts else {}
        servers: list[Ours | Bare | Nginx] = [stack.enter_context(bare)]
        if Nginx.program() is None:
            print("nginx is not installed: its column is left out")
        else:
            servers.append(stack.enter_context(Nginx(self.folder / "nginx", resources)))
        servers.append(ours)
        before = memory(ours.pids), memory(bare.pids)
        self._measure(servers, resources)
        after = memory(ours.pids), memory(bare.pids)
        self._print(starts, {"after the start": before, "after all of this": after})
        if not self.options.no_profile:
            self._profile(live, ours, resources)

    def _resources(self, ours: Ours, mirrored: BuiltArtifact) -> Mapping[str, Resource]:
        small, big = small_wheel(), big_wheel()
        for artifact in (small, big):
            todo.put(ours.port, artifact)
        addresses = {}
        for artifact in (small, big):
            name = artifact.filename.partition("-")[0]
            path = f"/packages/root/main/{name}/{artifact.sha256[:16]}/{artifact.filename}"
            addresses |= {name: path, f"{name}.metadata": f"{path}.metadata"}
        path = f"/packages/root/pypi/mirrored/{mirrored.sha256[:16]}/{mirrored.filename}"
        addresses["mirrored"] = path
        todo.until_kept(ours.port, path)
        return todo.resources(ours.port, addresses)

    def _measure(self, servers: Sequence[Ours | Bare | Nginx], resources: Mapping[str, Resource]) -> None:
        for number in range(self.options.rounds + 1):
            for line in todo.GETS:
                if line.name in self.names:
                    for server in servers:
                        self._read(server, line, resources[line.name], warm_up=number == 0)
            for name, at_once in todo.UPLOADS.items():
                if name in self.names:
                    for server in servers:
                        if not isinstance(server, Nginx):
                            self._upload(server, name, at_once, warm_up=number == 0)

    def _read(self, server: Ours | Bare | Nginx, line: todo.Get, resource: Resource, *, warm_up: bool) -> None:
        message = server.ask(line.name, resource)
        seconds = 0.1 if warm_up else self.options.seconds
        with Meter(server.pids) as meter:
            answers = for_seconds(server.port, message, seconds, line.expected)
        self._note(server, line.name, answers, meter, warm_up=warm_up)

    def _upload(self, server: Ours | Bare, name: str, at_once: int, *, warm_up: bool) -> None:
        count = at_once if warm_up else self.options.uploads
        messages = todo.uploads(name, self.uploaded, count)
        self.uploaded += count
        with Meter(server.pids) as meter:
            answers = each_once(server.port, messages, at_once)
        self._note(server, name, answers, meter, warm_up=warm_up)

    def _note(self, server: Ours | Bare | Nginx, name: str, answers: Answers, meter: Meter, *, warm_up: bool) -> None:
        if warm_up:
            return
        spent = meter.spent
        cuts = statistics.quantiles(answers.seconds * 2, n=20)
        found = report.Round(
            spent.cpu / answers.count * 1000,
            spent.wall / answers.count * 1000,
            spent.foreign,
            cuts[9] * 1000,
            cuts[18] * 1000,
            answers.size / answers.count,
        )
        self.lines.setdefault(name, report.Line(name)).add(server.name, found)

    def _print(self, starts: Mapping[str, tuple[float, float | None]], mib: Mapping[str, tuple[float, float]]) -> None:
        lines = list(self.lines.values())
        print(report.table(lines, OURS, BARE, NGINX))
        for line in lines:
            if line.name == "file-30MB":
                print(report.throughput(line, (OURS, BARE, NGINX)))
            if line.name in todo.UPLOADS:
                print(report.slowness(line, OURS, BARE))
        for name, other in todo.BESIDE:
            if name in self.lines and other in self.lines:
                print(report.beside(self.lines[name], self.lines[other], OURS))
        if starts:
            print(report.pairs("cold start, seconds", starts, "s"))
        print(report.pairs("memory of master and one worker", mib, "MiB"))
        if self.options.json:
            self.options.json.write_text(json.dumps(report.as_document(lines, starts=starts, memory=mib), indent=1))

    def _profile(self, live: LiveServer, ours: Ours, resources: Mapping[str, Resource]) -> None:
        name = self.options.profile or report.most_expensive(list(self.lines.values()), OURS, BARE)
        print(f"\nprofile of {name}, called in this process:")
        if name in todo.UPLOADS:
            print(profile(live.config, todo.uploads(name, self.uploaded, _PROFILED)))
            return
        message = ours.ask(name, resources[name])
        assert fetch(ours.port, resources[name].path, resources[name].headers).status in {200, 304}
        print(profile(live.config, [message] * (_PROFILED * 5)))


if __name__ == "__main__":
    main()
