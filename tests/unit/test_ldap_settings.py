"""What ``auth.ldap.*`` may say together, and what a pypicloud file's values come to."""

from __future__ import annotations

import pytest

from pypicloud_lite.access.backends.ldap import LdapAccess
from pypicloud_lite.access.backends.ldap_settings import LdapSettings
from pypicloud_lite.kernel.errors import ConfigError

SERVICE_PASSWORD = "service-password"
SETTINGS = {
    "url": "ldaps://ldap.example.com",
    "service_dn": "cn=service,dc=example,dc=com",
    "service_password": SERVICE_PASSWORD,
    "base_dn": "dc=example,dc=com",
    "user_search_filter": "(uid={username})",
    "group_base_dn": "ou=groups,dc=example,dc=com",
    "admin_field": "employeeType",
    "admin_value": "administrator",
}


def ldap_settings(**changes: str) -> LdapSettings:
    chosen = {**SETTINGS, **changes}
    return LdapSettings.model_validate({f"auth.ldap.{name}": text for name, text in chosen.items() if text})


def test_the_settings_that_are_changed_below_are_right():
    assert ldap_settings().checked()


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"url": "ldap.example.com"}, ["auth.ldap.url"]),
        ({"url": "https://ldap.example.com"}, ["auth.ldap.url"]),
        ({"user_dn_format": "uid={username},dc=example"}, ["auth.ldap.user_dn_format goes without"]),
        ({**dict.fromkeys(("base_dn", "user_search_filter"), "")}, ["auth.ldap does not say where users are"]),
        ({"user_search_filter": ""}, ["auth.ldap does not say where users are"]),
        ({"user_search_filter": "(uid=alice)"}, ["auth.ldap.user_search_filter does not compare"]),
        ({"user_search_filter": "uid={username}"}, ["auth.ldap.user_search_filter does not compare"]),
        ({"user_search_filter": "(uid=*{username}*)"}, ["auth.ldap.user_search_filter compares with a part"]),
        ({"base_dn": "", "user_search_filter": "", "user_dn_format": "{username}@example.com"}, ["is no DN"]),
        ({"service_password": ""}, ["auth.ldap.service_password is missing"]),
        ({"service_dn": ""}, ["auth.ldap.service_dn is missing"]),
        ({"service_dn": "", "service_password": "", "service_username": "robot"}, ["auth.ldap.service_dn is missing"]),
        ({"admin_value": ""}, ["auth.ldap.admin_value is missing"]),
        ({"admin_field": ""}, ["auth.ldap.admin_field is missing"]),
        ({"group_base_dn": "", "nested_groups": "true"}, ["auth.ldap.group_base_dn is missing"]),
        ({"url": "ldaps://x", "start_tls": "true"}, ["auth.ldap.start_tls is for ldap://"]),
        ({"ignore_cert": "true", "ca_file": "/ca.pem"}, ["auth.ldap.ignore_cert makes"]),
        (
            {"url": "x", "admin_field": "", "user_search_filter": ""},
            ["auth.ldap.url", "where users are", "admin_field is missing"],
        ),
    ],
)
def test_contradictions_are_named(changes, problems):
    settings = ldap_settings(**changes)
    with pytest.raises(ConfigError) as caught:
        settings.checked()
    assert len(caught.value.problems) == len(problems)
    for line, said in zip(caught.value.problems, problems, strict=True):
        assert said in line
        assert SERVICE_PASSWORD not in line


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 60), ("none", 60), ("5", 5), ("1 min", 60), ("86400", 60), ("1", 1)]
)
def test_pypiclouds_cache_time_is_never_more_than_a_minute(text, seconds):
    settings = {"auth.ldap.url": "ldaps://x", "auth.ldap.cache_time": text}
    assert LdapSettings.model_validate(settings).cache_time == seconds


@pytest.mark.parametrize(
    ("url", "more", "warned"),
    [
        ("ldap://ldap.example.com", {}, True),
        ("ldap://ldap.example.com", {"auth.ldap.start_tls": "true"}, False),
        ("ldaps://ldap.example.com", {}, False),
        ("ldap://127.0.0.1", {}, False),
        ("ldapi://%2Frun%2Fldapi", {}, False),
    ],
)
def test_passwords_in_clear_text_are_warned_of(url, more, warned):
    backend = LdapAccess(LdapSettings.model_validate({"auth.ldap.url": url, **more}))
    assert bool(backend.warnings) is warned
