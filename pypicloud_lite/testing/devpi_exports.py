"""Folders as ``devpi-export`` writes them, made by hand, and the command that takes them over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import argon2
from click.testing import CliRunner

from pypicloud_lite.cli.people_transfer import import_people
from pypicloud_lite.testing.artifacts import BuiltArtifact


def stored(password: str) -> str:
    """As devpi stores it, at less cost."""
    return argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=4).hash(password)


class MadeExport:
    """A folder as devpi-export writes it; ``document`` may be changed until :meth:`write`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        users = {"alice": {"username": "alice", "pwhash": stored("pw-alice"), "created": "2020-02-03T04:05:06Z"}}
        self.document: dict[str, Any] = {"dumpversion": "2", "users": users, "indexes": {}}
        self.add_index("alice/dev")

    def add_index(self, name: str, **config: object) -> None:
        """A stage, if nothing else is said."""
        config = {"type": "stage", "volatile": True, "bases": [], "acl_upload": ["alice"], **config}
        self.document["indexes"][name] = {"indexconfig": config, "projects": {}, "files": []}

    def add_user(self, name: str, **more: object) -> None:
        """Somebody with the password ``pw-NAME``."""
        self.document["users"][name] = {"username": name, "pwhash": stored(f"pw-{name}"), **more}

    def put(
        self,
        artifact: BuiltArtifact,
        project: str = "demo",
        index: str = "alice/dev",
        *,
        relpath: str | None = None,
        rel: str = "releasefile",
        **changed: Any,
    ) -> Path:
        """Write a file and its entry, of which ``changed`` are other values; where the file lies."""
        version = artifact.filename.split("-")[1].removesuffix(".tar.gz")
        relpath = relpath or f"{index}/{project}/{version}/{artifact.filename}"
        path = self.folder / relpath
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(artifact.data)
        self.describe(project, version, index)
        log = [{"what": "upload", "who": "alice", "when": [2021, 2, 3, 4, 5, 6], "dst": index}]
        entrymapping = {
            "hash_spec": f"sha256={artifact.sha256}",
            "hashes": {"sha256": artifact.sha256},
            "last_modified": "Wed, 04 Mar 2020 05:06:07 GMT",
            **changed.pop("entrymapping", {}),
        }
        entry = {
            "type": rel,
            "projectname": project,
            "version": version,
            "relpath": relpath,
            "entrymapping": entrymapping,
            "log": log,
        }
        self.document["indexes"][index]["files"].append({**entry, **changed})
        return path

    def put_docs(self, data: bytes, version: str = "1.0", index: str = "alice/dev") -> Path:
        """Documentation of a release of ``demo``."""
        return self.put(BuiltArtifact(f"demo-{version}.doc.zip", data, b""), index=index, rel="doczip", version=version)

    def put_result(self, data: bytes, tested: BuiltArtifact, number: int = 0, **changed: Any) -> Path:
        """A result of testing a file of ``demo`` in ``alice/dev``, below the folder that devpi names by its hash."""
        digest = tested.sha256
        name = f"{tested.filename}.toxresult-20210203040506-{number}"
        entry = {
            "relpath": f"alice/dev/demo/{digest}/{name}",
            "version": "1.0",
            "for_entrypath": f"alice/dev/+f/{digest[:3]}/{digest[3:16]}/{tested.filename}",
            **changed,
        }
        return self.put(BuiltArtifact(name, data, b""), rel="toxresult", **entry)

    def describe(self, project: str, version: str, index: str = "alice/dev") -> None:
        """Register a version of a project."""
        projects = self.document["indexes"][index]["projects"]
        projects.setdefault(project, {})[version] = {"name": project, "version": version}

    def write(self) -> Path:
        """Write the document; the folder."""
        (self.folder / "dataindex.json").write_text(json.dumps(self.document))
        return self.folder


class ImportRun:
    """``ppc-import devpi`` of an export as it is by then, into the server of a configuration."""

    def __init__(self, made: MadeExport, config: Path) -> None:
        self._made = made
        self._config = config

    def __call__(self, *options: str, status: int = 0) -> Any:
        """The report, of a run that must end with this status; what was said instead where there is none."""
        words = ["devpi", str(self._made.write()), "--config", str(self._config), "--json", *options]
        result = CliRunner().invoke(import_people, words)
        if result.exit_code != status:
            raise AssertionError(f"it ended with {result.exit_code}: {result.output}")
        return json.loads(result.stdout) if result.stdout else result.stderr
