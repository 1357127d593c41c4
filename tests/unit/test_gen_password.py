from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pypicloud_lite.access.passwords import identify, verify_password
from pypicloud_lite.cli.gen_password import main
from pypicloud_lite.testing.live import write_config


def run(*args: str, given: str | bytes = "") -> Result:
    return CliRunner().invoke(main, args, input=given)


def test_it_asks_twice_on_standard_error_and_prints_the_hash() -> None:
    result = run(given="correct horse\ncorrect horse\n")
    assert result.exit_code == 0
    assert verify_password("correct horse", result.stdout.removesuffix("\n"))
    assert identify(result.stdout.strip()) == "argon2"
    assert "Password" in result.stderr
    assert "correct horse" not in result.output


def test_it_asks_again_when_the_two_differ() -> None:
    result = run("-s", "sha", "-r", "1000", given="a\nb\nc\nc\n")
    assert result.exit_code == 0
    assert verify_password("c", result.stdout.strip())


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_standard_input_is_the_password_less_one_line_end(end: str) -> None:
    result = run("-i", "-s", "sha512_crypt", "-r", "1000", given=f"correct horse{end}".encode())
    assert result.exit_code == 0
    assert verify_password("correct horse", result.stdout.strip())


def test_only_one_line_end_is_taken_and_other_space_stays() -> None:
    result = run("-i", "-s", "sha512_crypt", "-r", "1000", given=b" pw \r\n\n")
    assert verify_password(" pw \r\n", result.stdout.strip())


@pytest.mark.parametrize(
    ("scheme", "rounds", "name"),
    [
        ("argon2", "1", "argon2"),
        ("bcrypt", "4", "bcrypt"),
        ("sha", "1000", "sha512_crypt"),
        ("sha256_crypt", "1000", "sha256_crypt"),
        ("pbkdf2", "1000", "pbkdf2_sha512"),
        ("pbkdf2_sha256", "1000", "pbkdf2_sha256"),
    ],
)
def test_schemes_and_rounds(scheme: str, rounds: str, name: str) -> None:
    result = run("-i", "-s", scheme, "-r", rounds, given="pw\n")
    assert identify(result.stdout.strip()) == name
    assert verify_password("pw", result.stdout.strip())


@pytest.mark.parametrize(
    ("args", "given", "said"),
    [
        ((), "\n\n", "1 to 4096 bytes"),
        (("-i",), b"", "1 to 4096 bytes"),
        (("-i",), b"\n", "1 to 4096 bytes"),
        (("-i",), b"\xff\xfe", "not UTF-8"),
        (("-i", "-s", "bcrypt"), b"x" * 73, "longer than the 72 bytes that bcrypt takes"),
        (("-i", "-s", "sha"), b"a\0b", "NUL"),
        (("-i", "-s", "md5"), b"pw", "'md5' is not a password scheme: use one of argon2"),
        (("-i", "-s", "bcrypt", "-r", "31"), b"pw", "bcrypt takes 4 to 16 rounds, not 31"),
    ],
)
def test_t08_what_cannot_be_hashed_ends_with_one_line_and_status_2(
    args: tuple[str, ...], given: str | bytes, said: str
) -> None:
    result = run(*args, given=given)
    assert result.exit_code == 2
    assert result.stdout == ""
    line = result.stderr.splitlines()[-1]
    assert line.startswith("ppc-gen-password: ")
    assert said in line


@pytest.mark.parametrize("args", [("--no-such-option",), ("-r", "many"), ("positional",)])
def test_wrong_usage_is_status_2(args: tuple[str, ...]) -> None:
    assert run(*args).exit_code == 2


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., str]:
    def write(**settings: str) -> str:
        path = tmp_path / "config.ini"
        write_config(path, {f"auth.{name}": value for name, value in settings.items()})
        return str(path)

    return write


@pytest.mark.parametrize("option", ["-c", "--config"])
def test_the_configuration_says_how_it_is_hashed(config: Callable[..., str], option: str) -> None:
    result = run("-i", option, config(scheme="sha256_crypt", rounds="1234"), given="pw\n")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("$5$rounds=1234$")
    assert verify_password("pw", result.stdout.strip())


@pytest.mark.parametrize(
    ("args", "start"),
    [
        (("-r", "1001"), "$5$rounds=1001$"),
        (("-s", "sha256_crypt"), "$5$rounds=1234$"),
        # Rounds of another scheme: 1234 would be none that bcrypt takes.
        (("-s", "bcrypt", "-r", "4"), "$2b$04$"),
        (("-s", "bcrypt"), "$2b$"),
    ],
)
def test_what_is_said_on_the_command_line_wins(config: Callable[..., str], args: tuple[str, ...], start: str) -> None:
    result = run("-i", "-c", config(scheme="sha256_crypt", rounds="1234"), *args, given="pw\n")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(start)


def test_a_configuration_that_says_nothing_and_one_that_is_wrong(config: Callable[..., str], tmp_path: Path) -> None:
    assert run("-i", "-c", config(), given="pw\n").stdout.startswith("$argon2")
    result = run("-i", "-c", config(scheme="md5"), given="pw\n")
    assert result.exit_code != 0
    assert "auth.scheme" in result.stderr
    assert result.stdout == ""
    assert run("-i", "-c", str(tmp_path / "missing.ini"), given="pw\n").exit_code == 2
