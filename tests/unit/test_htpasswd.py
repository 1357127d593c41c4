"""Apache's password files: what is read of them, and what happens when they change or break."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pypicloud_lite.access.backends.htpasswd import HtpasswdSettings, PasswordFiles, backend
from pypicloud_lite.access.backends.htpasswd_lines import read_lines
from pypicloud_lite.access.passwords import PasswordHasher, verify_password
from pypicloud_lite.access.port import AccessContext
from pypicloud_lite.kernel.errors import AccessUnavailable

APR1 = "$apr1$WoCQpnIJ$L0ZGLtJZAYjv.1lt/P.Vx/"
SHA1 = "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A="
BCRYPT = "$2y$05$HFPYPzC44T9TC35mDJ9s4O188hIz0j1WHXxbTgVVyuYbVye95XszW"
SHA256 = "$5$QVqvide.9tU7Zx3a$huYl3tDmQa59Xn1FMafTBEyWFBzpq3TbL2bJho18IB2"
SHA512 = "$6$JUCHGSCZb38NIrqz$3i0ZVnP/F6NyMrl7Nn1NDSwHY66gM9Z0/zoUPvVH635KRWInETGVOH9biA7YCp9su9zb.PePYKrIip0oYtfR.1"
DES = "ucGfMWrIDlEf2"
WORLD = [APR1, SHA1, BCRYPT, SHA256, SHA512]
"""Made by Apache's htpasswd, of ``correct horse``."""


def read(text: str | bytes):
    return read_lines(text.encode() if isinstance(text, str) else text, "users")


@pytest.mark.parametrize("stored", WORLD)
def test_every_scheme_of_htpasswd_logs_in(stored: str) -> None:
    lines = read(f"ann:{stored}\n")
    assert dict(lines.hashes) == {"ann": stored}
    assert verify_password("correct horse", stored)
    assert not verify_password("correct horsf", stored)


@pytest.mark.parametrize(("stored", "weak"), [(APR1, True), (SHA1, True), (BCRYPT, False), (SHA512, False)])
def test_weak_hashes_hold_with_a_warning(stored: str, weak: bool) -> None:
    lines = read(f"# a comment\nann:{stored}\n")
    assert dict(lines.hashes) == {"ann": stored}
    assert len(lines.warnings) == weak
    for warning in lines.warnings:
        assert warning.startswith("users, line 2: the line of 'ann' is a weak hash")
        assert stored not in warning


@pytest.mark.parametrize("secret", ["plain-text", DES, "$2y$05$short", "{SHA}x", "{SSHA}abcdef", "$apr1$a$b", "*"])
def test_a_line_without_a_usable_hash_is_refused_alone(secret: str) -> None:
    lines = read(f"ann:{SHA512}\nben:{secret}\ncarl:{SHA256}\n")
    assert set(lines.hashes) == {"ann", "carl"}
    (warning,) = lines.warnings
    assert warning.startswith("users, line 2: the line of 'ben' is refused")
    assert "htpasswd -B" in warning
    assert secret == "*" or secret not in warning


@pytest.mark.parametrize(
    ("text", "names", "warned"),
    [
        (b"", [], []),
        (b"\n\n  \n# ann:x\n  # ben:x\n", [], []),
        (b"\xef\xbb\xbfann:%b\r\nben:%b\r\n", ["ann", "ben"], []),
        ("zoë:%b\nna me:%b".encode(), ["na me", "zoë"], []),
        (b"ann:%b:Ann Smith:more\n", ["ann"], []),
        (b"  ann:%b  \n", ["ann"], []),
        (b"ann:\n", [], ["line 1: the line of 'ann' has no hash"]),
        (b"ann\n", [], ["line 1: it is not name:hash"]),
        (b":%b\nben:%b", ["ben"], ["line 1: it is not name:hash"]),
        (b"ann:\xff\nben:%b\n", ["ben"], ["line 1: it is not UTF-8"]),
        (b"\xff:%b\nben:%b\n", ["ben"], ["line 1: it is not UTF-8"]),
        (b"\0:%b\n", ["\0"], []),
    ],
)
def test_odd_lines(text: bytes, names: list[str], warned: list[str]) -> None:
    lines = read(text.replace(b"%b", SHA512.encode()))
    assert sorted(lines.hashes) == names
    assert len(lines.warnings) == len(warned)
    for warning, start in zip(lines.warnings, warned, strict=True):
        assert warning.startswith(f"users, {start}")


def test_of_one_name_the_first_line_counts_as_in_apache() -> None:
    lines = read(f"ann:{SHA512}\nann:{SHA256}\nben:{DES}\nben:{SHA256}\n")
    assert dict(lines.hashes) == {"ann": SHA512}
    assert [warning.partition(": ")[0] for warning in lines.warnings] == [
        "users, line 2",
        "users, line 3",
        "users, line 4",
    ]
    assert "'ann' stands in line 1 already" in lines.warnings[0]


def names(files: PasswordFiles) -> set[str]:
    return set(files().users)


def test_nothing_is_read_before_the_first_question(tmp_path: Path) -> None:
    files = PasswordFiles(tmp_path / "users")
    assert files.warnings == ()
    with pytest.raises(AccessUnavailable, match=r"users' cannot be read \(No such file"):
        files()
    (tmp_path / "users").write_text(f"ann:{SHA512}\n")
    assert names(files) == {"ann"}


def test_one_file_is_for_both(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"ann:{SHA512}\nben:{SHA256}\n")
    for files in (PasswordFiles(path), PasswordFiles(path, path)):
        assert files().groups == {"uploaders": {"ann", "ben"}}


def test_who_is_in_both_logs_in_with_the_line_of_the_upload_file(tmp_path: Path) -> None:
    readers, uploaders = tmp_path / "readers", tmp_path / "uploaders"
    readers.write_text(f"ann:{SHA512}\nben:{SHA512}\n")
    uploaders.write_text(f"ben:{SHA256}\ncarl:{BCRYPT}\n")
    facts = PasswordFiles(readers, uploaders)()
    assert {name: known.password_hash for name, known in facts.users.items()} == {
        "ann": SHA512,
        "ben": SHA256,
        "carl": BCRYPT,
    }
    assert facts.groups == {"uploaders": {"ben", "carl"}}


def replace(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.replace(path)


@pytest.mark.parametrize("write", [Path.write_text, replace], ids=["in its place", "a new file"])
def test_a_change_holds_at_the_next_question(tmp_path: Path, write: Callable[[Path, str], object]) -> None:
    path = tmp_path / "users"
    path.write_text(f"ann:{SHA512}\n")
    files = PasswordFiles(path)
    first = files()
    assert files() is first
    for text, expected in (
        (f"ben:{SHA512}\n", {"ben"}),
        (f"eva:{SHA512}\n", {"eva"}),
        ("", set()),
        (f"ann:{APR1}", {"ann"}),
    ):
        write(path, text)
        assert names(files) == expected
    assert files.warnings == (
        f"{path}, line 1: the line of 'ann' is a weak hash ($apr1$ or {{SHA}}): set the password anew with htpasswd -B",
    )


def test_a_change_of_the_upload_file_alone_holds(tmp_path: Path) -> None:
    readers, uploaders = tmp_path / "readers", tmp_path / "uploaders"
    readers.write_text(f"ann:{SHA512}\n")
    uploaders.write_text("")
    files = PasswordFiles(readers, uploaders)
    assert files().groups == {"uploaders": set()}
    uploaders.write_text(f"ann:{SHA512}\n")
    assert files().groups == {"uploaders": {"ann"}}


@pytest.mark.parametrize("damage", ["gone", "a folder", "too large"])
def test_a_file_that_breaks_keeps_what_held_and_says_so_once(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users"
    path.write_text(f"ann:{SHA512}\n")
    files = PasswordFiles(path)
    assert names(files) == {"ann"}
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage == "too large":
        monkeypatch.setattr("pypicloud_lite.access.backends.htpasswd._MOST", 5)
        path.write_text(f"ben:{SHA512}\n")
    with capture_logs() as logs:
        assert [names(files) for _ in range(3)] == [{"ann"}] * 3
    assert [(one["log_level"], one["path"]) for one in logs] == [("error", str(path))]
    monkeypatch.undo()
    if damage == "a folder":
        path.rmdir()
    with capture_logs() as logs:
        replace(path, f"eva:{SHA512}\nben:{DES}\n")
        assert [names(files) for _ in range(3)] == [{"eva"}] * 3
    assert [one["event"] for one in logs] == ["the password file was read again", "password file"]
    assert SHA512 not in str(logs)
    assert DES not in str(logs)


def test_a_new_owner_or_mode_is_a_change_too(tmp_path: Path) -> None:
    """So that a file which could not be read is tried again after ``chmod``."""
    path = tmp_path / "users"
    path.write_text(f"ann:{SHA512}\n")
    os.utime(path, (1, 1))
    files = PasswordFiles(path)
    first = files()
    path.chmod(0o600)
    assert files() is not first


def test_the_settings_look_for_the_files(tmp_path: Path) -> None:
    path = tmp_path / "users"
    for place, reason in ((path, "there is no such file: make it with htpasswd -B -c"), (tmp_path, "is not a file")):
        with pytest.raises(ValueError, match=reason):
            HtpasswdSettings.model_validate({"auth.htpasswd.file": place})
    path.write_text(f"ann:{BCRYPT}\n")
    settings = HtpasswdSettings.model_validate({"auth.htpasswd.file": str(path)})
    access = backend.build(settings, AccessContext(None, None, PasswordHasher()))  # type: ignore[arg-type]  # it asks neither
    account = access.authenticate("ann", "correct horse")
    assert account is not None
    assert account.groups == {"uploaders"}
    assert access.authenticate("ann", "correct horsf") is None


def test_what_the_real_htpasswd_writes_is_read(tmp_path: Path, missing: Callable[[str, str], None]) -> None:
    path = tmp_path / "users"
    path.touch()
    files = PasswordFiles(path)
    for number, option in enumerate(("-B", "-m", "-s", "-2", "-5")):
        try:
            subprocess.run(
                ["htpasswd", option, "-b", path, f"user{number}", "naïve 🔑"], check=True, capture_output=True
            )
        except FileNotFoundError as error:
            missing("htpasswd", f"{error}: apt-get install apache2-utils")
        known = files().users[f"user{number}"]
        assert verify_password("naïve 🔑", known.password_hash)
    subprocess.run(["htpasswd", "-D", path, "user3"], check=True, capture_output=True)
    assert names(files) == {"user0", "user1", "user2", "user4"}
