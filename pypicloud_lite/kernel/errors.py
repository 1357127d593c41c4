"""Every error that a caller may see, as data.

Each message names the thing, the rule it broke and the next step. HTTP statuses are decided in
``web/errors.py`` alone; here is no HTTP.
"""

from __future__ import annotations

from typing import ClassVar


class PpcError(Exception):
    """The root of all errors below; ``code`` is stable and meant for programs."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequest(PpcError):
    """What was sent cannot be understood or breaks a rule of the protocol."""

    code = "invalid-request"


class InvalidName(InvalidRequest):
    """A project, version, index or file name breaks its grammar."""

    code = "invalid-name"


class InvalidArtifact(InvalidRequest):
    """The uploaded file is not the sdist or wheel that it claims to be."""

    code = "invalid-artifact"


class AuthenticationRequired(PpcError):
    """No credentials, or wrong ones."""

    code = "authentication-required"


class PermissionDenied(PpcError):
    """The caller is known and may not do this."""

    code = "permission-denied"


class NotFound(PpcError):
    """There is no such thing, or the caller may not know that there is."""

    code = "not-found"


class CameRound(NotFound):
    """Another server of this kind asks for what this one could only ask of those who ask it."""

    code = "came-round"


class Conflict(PpcError):
    """What was asked for contradicts what is there."""

    code = "conflict"


class TooLarge(PpcError):
    """A limit on bytes or parts was passed."""

    code = "too-large"


class RangeNotSatisfiable(PpcError):
    """A byte range lies outside the file; ``size`` is the file's length in bytes."""

    code = "range-not-satisfiable"

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class TooManyRequests(PpcError):
    """A rate limit was passed; ``retry_after`` is in whole seconds."""

    code = "too-many-requests"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InsufficientStorage(PpcError):
    """The storage has no room for this file."""

    code = "insufficient-storage"


class BackendUnavailable(PpcError):
    """Storage, database or access backend does not answer; ``retry_after`` is in whole seconds."""

    code = "backend-unavailable"
    retry_after: ClassVar[int] = 2


class StorageUnavailable(BackendUnavailable):
    """The storage does not answer, or refuses this server."""

    code = "storage-unavailable"


class CatalogUnavailable(BackendUnavailable):
    """The database does not answer, or is locked for longer than a request may wait."""

    code = "catalog-unavailable"


class StillRebuilding(CatalogUnavailable):
    """The first rebuild of an empty catalog runs: what is not there yet may still come."""

    code = "still-rebuilding"
    retry_after = 10

    @classmethod
    def of_project(cls, project: object) -> StillRebuilding:
        """What is said of a project that is not there yet."""
        return cls(f"The index is being rebuilt and project {project} may still come: try again")


class CommitUnknown(CatalogUnavailable):
    """The database broke off while it committed: the change may have happened."""

    code = "commit-unknown"


class AccessUnavailable(BackendUnavailable):
    """The access backend does not answer: a failure, never a refusal and never an open door."""

    code = "access-unavailable"


class UpstreamError(PpcError):
    """Another index was asked and gave no answer that can be used; it is never read as "there is none"."""

    code = "upstream-error"


class UpstreamUnavailable(UpstreamError):
    """An upstream is not asked just now: it failed lately, asks for patience, or has enough to do.

    ``retry_after`` is in whole seconds.
    """

    code = "upstream-unavailable"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UpstreamTimedOut(UpstreamError):
    """The answer, all of it, took longer than it may."""

    code = "upstream-timed-out"


class UpstreamUnreachable(UpstreamError):
    """No connection, or it broke off before the answer was whole; or the upstream says that it failed."""

    code = "upstream-unreachable"


class UpstreamNonsense(UpstreamError):
    """The answer is none that an index gives."""

    code = "upstream-nonsense"


class UpstreamRefused(UpstreamError):
    """The upstream wants other credentials than it was given."""

    code = "upstream-refused"


class UpstreamAddressRefused(UpstreamError):
    """The upstream leads to an address that this server does not go to."""

    code = "upstream-address-refused"


class UpstreamDigestMismatch(UpstreamError):
    """The bytes that came are not those that the upstream's page promised."""

    code = "upstream-digest-mismatch"


class UpstreamTooLarge(UpstreamError):
    """The answer is larger than it may be, as it comes or unpacked."""

    code = "upstream-too-large"


class UpstreamWithoutRanges(UpstreamError):
    """The upstream sends files as a whole only."""

    code = "upstream-without-ranges"


class ConfigError(PpcError):
    """The configuration is wrong; ``problems`` holds every one that was found, a line each."""

    code = "config-error"

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Gone(NotFound):
    """This was offered once by servers of this kind and is not any more."""

    code = "gone"
