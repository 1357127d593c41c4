"""How somebody gets an account of one's own: by asking, which waits for approval, or by a registration token.

The one place that knows the rules, whichever skin is used: the page, the REST API. Anybody may try, and each try costs
a hash and a row: so they are counted as guesses at a password are.
"""

from __future__ import annotations

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.signup import SignupTokens
from pypicloud_lite.access.throttle import LoginThrottle
from pypicloud_lite.access.transactions import changing
from pypicloud_lite.db.engine import Database
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import append
from pypicloud_lite.kernel.clock import Clock


class Registration:
    """Ask for an account, or make the one that a token is for."""

    def __init__(
        self,
        administration: Administration,
        signup: SignupTokens,
        throttle: LoginThrottle,
        database: Database,
        clock: Clock,
    ) -> None:
        self._administration = administration
        self._signup = signup
        self._throttle = throttle
        self._database = database
        self._clock = clock

    @property
    def has_tokens(self) -> bool:
        """Whether administrators can invite: there is a key that signs, and a place for those who come."""
        return self._signup.is_on and self._administration.is_possible

    def is_open(self) -> bool:
        """Whether people may ask for accounts."""
        return self._administration.allows_register()

    def ask(self, username: str, password: str, address: str | None) -> str:
        """Ask for an account: it waits for approval. Returns the name as it is kept. Costs one hash.

        PermissionDenied where registration is off, Conflict where the name is taken or kept, TooManyRequests.
        """
        self._throttle.attempt("", address or "")
        return self._administration.request_account(username, password, Author(None, address))

    def name_in(self, token: str) -> str:
        """Whose account the token makes; InvalidRequest says what is wrong with it. No I/O."""
        return self._signup.read(token)[0]

    def redeem(self, token: str, password: str, address: str | None) -> str:
        """Make the account that a token is for, approved; its name. Costs one hash.

        InvalidRequest for a token that is none or has expired, Conflict for one that was used, TooManyRequests.
        """
        username, expires = self._signup.read(token)
        self._throttle.attempt(username, address or "")
        self._administration.use_signup(token, username, expires, password, Author(username, address))
        self._throttle.withdraw(username, address or "")
        return username

    def invite(self, username: str, author: Author) -> str:
        """A token with which the account of that name is made, once; the journal says who issued it."""
        token = self._signup.issue(username)
        with changing(self._database) as connection:
            append(connection, self._clock(), author, "issue registration token", subject=username.strip())
        return token
