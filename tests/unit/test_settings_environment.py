from __future__ import annotations

import pytest

from pypicloud_lite.settings.environment import read_environment, variable

CANARY = "canary-0wT9x-secret"
KEYS = ("pypi.default_read", "storage.dir", "storage.secret_key", "auth.htpasswd.file")
SECRETS = ("storage.secret_key",)


def read(environ, **more):
    found = read_environment(environ, keys=KEYS, secrets=SECRETS, families=("user.",), **more)
    assert CANARY not in repr(found)
    assert CANARY not in "".join(found.problems + found.warnings)
    return found


def overrides(found):
    return {override.key: (override.variable, override.text) for override in found.overrides}


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"{CANARY}\n")
    path.chmod(0o600)
    return path


def test_variables_are_computed_from_keys():
    assert variable("pypi.default_read") == "PPC_PYPI_DEFAULT_READ"
    assert variable("auth.htpasswd.upload_file") == "PPC_AUTH_HTPASSWD_UPLOAD_FILE"


def test_overrides():
    found = read({"PPC_PYPI_DEFAULT_READ": "a b", "PPC_STORAGE_SECRET_KEY": CANARY, "HOME": "/", "PPCX": "1"})

    assert overrides(found) == {
        "pypi.default_read": ("PPC_PYPI_DEFAULT_READ", "a b"),
        "storage.secret_key": ("PPC_STORAGE_SECRET_KEY", CANARY),
    }
    assert found.problems == []
    assert found.admin is None


def test_a_key_that_ends_in_file_is_that_key():
    assert overrides(read({"PPC_AUTH_HTPASSWD_FILE": "/etc/users"})) == {
        "auth.htpasswd.file": ("PPC_AUTH_HTPASSWD_FILE", "/etc/users")
    }


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"s3cr3t", "s3cr3t"), (b"s3cr3t\n", "s3cr3t"), (b"s3cr3t\r\n", "s3cr3t"), (b"s3cr3t\n\n", "s3cr3t\n"), (b"", "")],
)
def test_a_secret_file_loses_one_newline(secret_file, content, text):
    secret_file.write_bytes(content)
    found = read({"PPC_STORAGE_SECRET_KEY_FILE": str(secret_file)})

    assert overrides(found) == {"storage.secret_key": ("PPC_STORAGE_SECRET_KEY_FILE", text)}
    assert (found.problems, found.warnings) == ([], [])


def test_a_secret_that_everybody_may_read_is_warned_about(secret_file):
    secret_file.chmod(0o644)
    found = read({"PPC_STORAGE_SECRET_KEY_FILE": str(secret_file)})

    assert found.problems == []
    (line,) = found.warnings
    assert line.startswith("PPC_STORAGE_SECRET_KEY_FILE: every user of this host may read")


def test_an_empty_twin_is_not_given_twice(secret_file):
    found = read({"PPC_STORAGE_SECRET_KEY_FILE": str(secret_file), "PPC_STORAGE_SECRET_KEY": ""})
    assert overrides(found) == {"storage.secret_key": ("PPC_STORAGE_SECRET_KEY_FILE", CANARY)}

    found = read({"PPC_STORAGE_SECRET_KEY_FILE": "", "PPC_STORAGE_SECRET_KEY": CANARY})
    assert overrides(found) == {"storage.secret_key": ("PPC_STORAGE_SECRET_KEY", CANARY)}


@pytest.mark.parametrize(
    ("environ", "parts"),
    [
        ({"PPC_PYPI_DEFAULT_RAED": CANARY}, ("PPC_PYPI_DEFAULT_RAED", "did you mean PPC_PYPI_DEFAULT_READ?")),
        ({"PPC_STORAGE_SECRET_KEY_FIL": "/x"}, ("PPC_STORAGE_SECRET_KEY_FIL", "PPC_STORAGE_SECRET_KEY_FILE?")),
        ({"PPC_SOMETHING_ELSE_ENTIRELY": "1"}, ("PPC_SOMETHING_ELSE_ENTIRELY", "no such setting", "remove it")),
        ({"PPC_USER_ALICE": CANARY}, ("PPC_USER_ALICE", "user.*", "INI file alone")),
        ({"PPC_STORAGE_DIR_FILE": "/x"}, ("PPC_STORAGE_DIR_FILE", "no secret", "set PPC_STORAGE_DIR")),
        ({"PPC_STORAGE_SECRET_KEY_FILE": "/no/such"}, ("PPC_STORAGE_SECRET_KEY_FILE", "No such file")),
        ({"PPC_STORAGE_SECRET_KEY_FILE": "/"}, ("PPC_STORAGE_SECRET_KEY_FILE", "cannot be read")),
        ({"PPC_STORAGE_SECRET_KEY_FILE": "/x", "PPC_STORAGE_SECRET_KEY": CANARY}, ("are both set", "keep one")),
        ({"PPC_ADMIN_USER": "root"}, ("PPC_ADMIN_USER", "PPC_ADMIN_PASSWORD_FILE")),
        ({"PPC_ADMIN_PASSWORD": CANARY}, ("PPC_ADMIN_PASSWORD", "set PPC_ADMIN_USER")),
        ({"PPC_ADMIN_USER": "a:b", "PPC_ADMIN_PASSWORD": CANARY}, ("PPC_ADMIN_USER", "no ':'")),
        (
            {"PPC_ADMIN_USER": "a", "PPC_ADMIN_PASSWORD": CANARY, "PPC_ADMIN_PASSWORD_FILE": "/x"},
            ("PPC_ADMIN_PASSWORD and PPC_ADMIN_PASSWORD_FILE are both set",),
        ),
    ],
)
def test_what_is_wrong_with_variables(environ, parts):
    (line,) = read(environ).problems

    assert [part for part in parts if part not in line] == []


@pytest.mark.parametrize(("content", "part"), [(b"x" * 70_000, "longer than"), (b"\xff\xfe", "not UTF-8")])
def test_a_file_that_holds_no_secret(secret_file, content, part):
    secret_file.write_bytes(content)
    found = read({"PPC_STORAGE_SECRET_KEY_FILE": str(secret_file)})

    assert part in found.problems[0]
    assert found.overrides == []


def test_the_admin(secret_file):
    found = read({"PPC_ADMIN_USER": "root", "PPC_ADMIN_PASSWORD": CANARY, "PPC_ADMIN_PASSWORD_FILE": ""})
    assert found.admin is not None
    assert (found.admin.username, found.admin.password.get_secret_value()) == ("root", CANARY)

    found = read({"PPC_ADMIN_USER": "root", "PPC_ADMIN_PASSWORD_FILE": str(secret_file)})
    assert found.admin is not None
    assert found.admin.password.get_secret_value() == CANARY


def test_an_empty_password_file_is_refused(secret_file):
    secret_file.write_text("\n")
    found = read({"PPC_ADMIN_USER": "root", "PPC_ADMIN_PASSWORD_FILE": str(secret_file)})

    assert found.admin is None
    assert "is empty" in found.problems[0]


def test_no_admin_at_all():
    found = read({"PPC_ADMIN_USER": "", "PPC_ADMIN_PASSWORD": ""})

    assert (found.admin, found.problems) == (None, [])


def test_variables_of_others_are_left_alone():
    assert read({"PPC_CONFIG": "/etc/x.ini"}, foreign={"PPC_CONFIG"}).problems == []
    assert read({"PPC_CONFIG": "/etc/x.ini"}).problems != []
