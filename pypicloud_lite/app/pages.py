"""Pages for people at their addresses."""

from __future__ import annotations

from collections.abc import Callable

from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.app.patterns import FILE, PROJECT, VERSION, with_slash
from pypicloud_lite.browse.account.logging_in import LoggingIn
from pypicloud_lite.browse.account.mine import Mine
from pypicloud_lite.browse.account.views import AccountPages, AccountServices
from pypicloud_lite.browse.files.page import FilePages
from pypicloud_lite.browse.files.views import FilePageViews
from pypicloud_lite.browse.indexes.mounting import NamedIndexPages
from pypicloud_lite.browse.manage.mirror.views import MirrorManagement, MirrorServices
from pypicloud_lite.browse.manage.projects.curation import Curation
from pypicloud_lite.browse.manage.projects.views import CurationPages, CurationServices
from pypicloud_lite.browse.manage.upkeep.views import UpkeepPages, UpkeepServices
from pypicloud_lite.browse.manage.views import ManagePages, ManageServices
from pypicloud_lite.browse.register.views import RegisterPages
from pypicloud_lite.browse.views import BrowseViews
from pypicloud_lite.web import pages
from pypicloud_lite.web.settings import WebSettings
from pypicloud_lite.wiring import Services
from pypicloud_lite.wiring.in_force import configuration, mirror_rules


def mount_pages(
    add: Callable[..., None], services: Services, identity: RequestIdentity, browse: BrowseViews, named: NamedIndexPages
) -> None:
    """What anybody may look at, as far as allowed."""
    named.mount(add, with_slash(f"/project/{PROJECT}", f"/project/{PROJECT}/{VERSION}"), browse.project)
    one_file = FilePages(services.gate, services.contents, services.projects, services.mirrors)
    inside = FilePageViews(one_file, identity, services.index)
    add("page.file", *with_slash(f"/project/{PROJECT}/{VERSION}/{FILE}"), GET=inside.file)
    add("static", "/static/{version:[0-9a-f]{12}}/{asset:[a-z-]+[.](?:css|js|svg)}", GET=pages.asset)
    add("search", "/search", GET=browse.search)
    add("upload", "/upload", GET=browse.upload)


def mount_account(add: Callable[..., None], services: Services, identity: RequestIdentity) -> None:
    """Logging in, one's own account, and what administrators do."""
    settings = services.settings
    login, base_url = settings.get(LoginSettings), settings.get(WebSettings).base_url
    account = AccountPages(
        AccountServices(
            services.authenticator,
            services.access,
            services.sessions,
            services.administration,
            services.tokens,
            services.registration,
            Mine(services.catalog, services.access, services.gate, services.database, services.index),
            login,
        ),
        identity,
        base_url,
    )
    register = RegisterPages(services.registration, LoggingIn(services.access, services.sessions, login))
    add("login", *with_slash("/login"), GET=account.login, POST=account.log_in)
    add("logout", *with_slash("/logout"), POST=account.log_out)
    add("register", *with_slash("/register"), GET=register.form, POST=register.send)
    add("account", *with_slash("/account"), GET=account.account)
    add("account.token", "/account/token", POST=account.create_token)
    add("account.revoke", "/account/token/revoke", POST=account.revoke_token)
    add("account.password", "/account/password", POST=account.change_password)
    add("account.actions", "/account/actions", GET=account.actions)
    add("account.session", "/account/sessions/end", POST=account.end_session)
    add("account.sessions", "/account/sessions/end-others", POST=account.end_other_sessions)
    manage = ManagePages(
        ManageServices(
            services.administration,
            services.access,
            services.gate,
            services.database,
            services.registration,
            lambda: configuration(services),
        ),
        identity,
        base_url,
    )
    add("manage", *with_slash("/manage"), GET=manage.home)
    add("manage.users", "/manage/users", GET=manage.users, POST=manage.change_users)
    add("manage.invite", "/manage/users/invite", POST=manage.invite)
    add("manage.groups", "/manage/groups", GET=manage.groups, POST=manage.change_groups)
    add("manage.rules", "/manage/rules", GET=manage.rules, POST=manage.change_rules)
    add("manage.config", "/manage/config", GET=manage.config)
    add("manage.journal", "/manage/journal", GET=manage.journal)
    _mount_curation(add, services, identity)
    upkeep = UpkeepPages(
        UpkeepServices(
            services.catalog,
            services.gate,
            services.index,
            services.disk,
            services.eviction.space,
            services.start_rebuild,
            services.rebuilds,
        ),
        identity,
    )
    add("manage.storage", "/manage/storage", GET=upkeep.storage)
    add("manage.resync", "/manage/resync", GET=upkeep.resync, POST=upkeep.start_resync)
    add("manage.resync.progress", "/manage/resync/progress", GET=upkeep.progress)
    _mount_mirror(add, services, identity)


def _mount_mirror(add: Callable[..., None], services: Services, identity: RequestIdentity) -> None:
    management = MirrorManagement(
        MirrorServices(
            services.mirrors,
            services.mirror_overview,
            services.mirror_room,
            lambda: mirror_rules(services),
            services.catalog,
            services.gate,
            services.index,
        ),
        identity,
    )
    add("manage.mirror", "/manage/mirror", GET=management.mirror, POST=management.act)


def _mount_curation(add: Callable[..., None], services: Services, identity: RequestIdentity) -> None:
    curation = Curation(services.catalog, services.gate, services.access, services.index)
    curators = CurationPages(
        CurationServices(
            curation,
            services.gate,
            services.removals,
            services.yanking,
            services.statuses,
            services.administration,
        ),
        identity,
    )
    add("manage.projects", "/manage/projects", GET=curators.projects)
    add("manage.project", f"/manage/projects/{PROJECT}", GET=curators.project, POST=curators.change)
    add("manage.confirm", f"/manage/projects/{PROJECT}/confirm", GET=curators.confirm, POST=curators.take_away)
