"""A directory for tests: OpenLDAP's slapd in a process of its own, with the contract's world in it."""

from __future__ import annotations

import base64
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pypicloud_lite.access.backends.ldap import LdapAccess
from pypicloud_lite.access.backends.ldap_settings import LdapSettings
from pypicloud_lite.testing.access import ADMINS, GROUPS, PASSWORDS
from pypicloud_lite.testing.certificates import Certificates, make_certificates
from pypicloud_lite.testing.live import free_port

BASE = "dc=example,dc=com"
PEOPLE = f"ou=people,{BASE}"
GROUPS_BASE = f"ou=groups,{BASE}"
SERVICE = f"cn=service,{BASE}"
SERVICE_PASSWORD = "service-password"  # noqa: S105  of a server that lives as long as a test
ADMIN_MARK = "administrator"
"""The ``employeeType`` of administrators."""

_SCHEMAS = ("core", "cosine", "inetorgperson", "nis")
_START_SECONDS = 10.0
_CONFIG = """
{includes}
pidfile {folder}/slapd.pid
modulepath {modules}
moduleload back_mdb
TLSCACertificateFile {tls.authority}
TLSCertificateFile {tls.certificate}
TLSCertificateKeyFile {tls.key}
threads 4
{more}

database mdb
suffix "{base}"
rootdn "cn=manager,{base}"
rootpw manager-password
directory {folder}/data
maxsize 16777216
dbnosync
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by {self_right} by * none
"""


class LdapMissing(Exception):
    """There is no slapd on this machine, or no python-ldap; the text says so."""


@dataclass
class Slapd:
    """``url`` and ``tls_url``; stopped and started again it has the same ports and entries."""

    folder: Path
    tls: Certificates
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Without TLS."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """With it."""
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def settings(self, **more: str) -> dict[str, str]:
        """``auth.ldap.*``: users by search, groups and administrators by attribute; ``more`` without the prefix."""
        chosen = {
            "url": self.url,
            "service_dn": SERVICE,
            "service_password": SERVICE_PASSWORD,
            "base_dn": PEOPLE,
            "user_search_filter": "(&(objectClass=inetOrgPerson)(uid={username}))",
            "group_base_dn": GROUPS_BASE,
            "admin_field": "employeeType",
            "admin_value": ADMIN_MARK,
            **more,
        }
        return {f"auth.ldap.{name}": text for name, text in chosen.items() if text}

    def access(self, monotonic: Callable[[], float] = time.monotonic, **more: str) -> LdapAccess:
        """The backend with :meth:`settings`."""
        return LdapAccess(LdapSettings.model_validate(self.settings(**more)).checked(), monotonic)

    def start(self) -> None:
        """Start and wait until it takes connections."""
        command = [_slapd(), "-d", "0", "-h", f"{self.url} {self.tls_url}", "-f", str(self.folder / "slapd.conf")]
        with (self.folder / "slapd.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                for port in (self.port, self.tls_port):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        self.stop()
        said = (self.folder / "slapd.log").read_text("utf-8", "replace")
        raise LdapMissing(f"slapd did not start: {said[-2000:]}")

    def stop(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None

    def change(self, ldif: str) -> None:
        """Do what an LDIF of changes says, as the manager of the directory."""
        self._run(["ldapmodify", "-x", "-H", self.url, "-D", f"cn=manager,{BASE}", "-w", "manager-password"], ldif)

    def add(self, *entries: str) -> None:
        """Put entries in, while it does not run."""
        text = "\n\n".join(entries) + "\n"
        self._run([_slapd("slapadd"), "-q", "-f", str(self.folder / "slapd.conf")], text)

    @staticmethod
    def _run(command: Sequence[str], text: str) -> None:
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=False, timeout=30)
        if done.returncode:
            raise LdapMissing(f"{command[0]} failed: {done.stderr.decode('utf-8', 'replace')[-2000:]}")


@contextlib.contextmanager
def slapd(folder: Path, *more: str, self_reads: bool = True, config: str = "") -> Iterator[Slapd]:
    """Run it with the contract's world, ``more`` entries and lines of ``config``.

    :class:`LdapMissing` where it cannot be.
    """
    try:
        import ldap  # noqa: F401
    except ImportError as error:
        raise LdapMissing(f"{error}: make ldap") from None
    (folder / "data").mkdir(parents=True)
    server = Slapd(folder, make_certificates(folder))
    includes = "\n".join(f"include /etc/ldap/schema/{name}.schema" for name in _SCHEMAS)
    (folder / "slapd.conf").write_text(
        _CONFIG.format(
            includes=includes,
            folder=folder,
            modules="/usr/lib/ldap",
            tls=server.tls,
            base=BASE,
            service=SERVICE,
            more=config,
            self_right="self read" if self_reads else "self none",
        ),
        "utf-8",
    )
    server.add(*world(), *more)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def world() -> list[str]:
    """The entries of the contract's users and groups; one group lists members by name."""
    entries = [
        entry(BASE, objectClass=["dcObject", "organization"], dc="example", o="Example"),
        entry(PEOPLE, objectClass="organizationalUnit", ou="people"),
        entry(GROUPS_BASE, objectClass="organizationalUnit", ou="groups"),
        entry(
            SERVICE,
            objectClass=["organizationalRole", "simpleSecurityObject"],
            cn="service",
            userPassword=SERVICE_PASSWORD,
        ),
    ]
    for name, password in PASSWORDS.items():
        entries.append(person(name, password, **({"employeeType": ADMIN_MARK} if name in ADMINS else {})))
    for number, (name, members) in enumerate(GROUPS.items()):
        if name == "devs":
            entries.append(group(name, *(dn_of(member) for member in sorted(members))))
        else:
            entries.append(
                entry(
                    f"cn={name},{GROUPS_BASE}",
                    objectClass="posixGroup",
                    cn=name,
                    gidNumber=str(number),
                    memberUid=sorted(members),
                )
            )
    return entries


def dn_of(username: str) -> str:
    """Where a user's entry is."""
    return f"uid={username},{PEOPLE}"


def person(username: str, password: str, dn: str = "", **more: str | Sequence[str]) -> str:
    """A user's entry."""
    return entry(
        dn or dn_of(username),
        objectClass="inetOrgPerson",
        uid=username,
        cn=username,
        sn=username,
        userPassword=password,
        **more,
    )


def group(name: str, *members: str) -> str:
    """A group's entry, by the DNs of its members."""
    return entry(f"cn={name},{GROUPS_BASE}", objectClass="groupOfNames", cn=name, member=members)


def entry(dn: str, **attributes: str | Sequence[str]) -> str:
    """An entry in LDIF."""
    lines = [f"dn: {dn}"]
    for name, values in attributes.items():
        every = [values] if isinstance(values, str) else values
        lines += [f"{name}:: {base64.b64encode(value.encode()).decode()}" for value in every]
    return "\n".join(lines)


def modification(dn: str, changes: Mapping[str, str]) -> str:
    """Lines of LDIF that replace attributes."""
    lines = [f"dn: {dn}", "changetype: modify"]
    for name, value in changes.items():
        lines += [f"replace: {name}", f"{name}:: {base64.b64encode(value.encode()).decode()}", "-"]
    return "\n".join([*lines, ""])


def _slapd(program: str = "slapd") -> str:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if found is None:
        raise LdapMissing(f"there is no {program}. On Debian: apt-get install slapd ldap-utils")
    return found
