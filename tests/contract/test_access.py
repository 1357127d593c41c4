"""Every access backend under the one contract."""

from __future__ import annotations

import pytest

from pypicloud_lite.access.backends.config import ConfigAccess, ConfigAccessSettings
from pypicloud_lite.access.port import AccessBackend
from pypicloud_lite.testing.access import ADMINS, GROUP_GRANTS, GROUPS, HASHES, USER_GRANTS, AccessContract


class TestConfigAccess(AccessContract):
    @pytest.fixture
    def backend(self) -> AccessBackend:
        entries = {f"user.{name}": stored for name, stored in HASHES.items()}
        entries |= {f"group.{name}": "\n".join(members) for name, members in GROUPS.items()}
        entries |= {f"package.{project}.user.{who}": " ".join(rights) for (project, who), rights in USER_GRANTS.items()}
        entries |= {
            f"package.{project}.group.{who}": " ".join(rights) for (project, who), rights in GROUP_GRANTS.items()
        }
        return ConfigAccess.from_settings(
            ConfigAccessSettings.model_validate({"auth.admins": " ".join(ADMINS), "*": entries})
        )
