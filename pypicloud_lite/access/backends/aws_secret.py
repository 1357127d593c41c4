"""The one request to AWS Secrets Manager, with its errors translated."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
from urllib3.exceptions import HTTPError

from pypicloud_lite.kernel.errors import AccessUnavailable, InvalidRequest
from pypicloud_lite.kernel.names import shown

if TYPE_CHECKING:
    from pypicloud_lite.access.backends.aws_secrets_manager import AwsSecretsSettings

_CONNECT_SECONDS = 2
_READ_SECONDS = 3
# One more where the first failed at once: a connection that AWS had closed, a throttled request.
_ATTEMPTS = 2

_NEXT_STEPS = {
    "ResourceNotFoundException": "create it, or correct auth.secret_id and auth.region_name",
    "AccessDeniedException": "allow this server secretsmanager:GetSecretValue on it, and kms:Decrypt on its key",
    "DecryptionFailure": "allow this server kms:Decrypt on its key",
    "InvalidRequestException": "it may be scheduled for deletion: restore it",
    "UnrecognizedClientException": "check the credentials",
    "InvalidSignatureException": "check the credentials, and this machine's clock",
    "ExpiredTokenException": "renew auth.aws_session_token",
}


class AwsSecret:
    """``secret()`` is its text now. Costs one request; the first call also reads the AWS configuration files."""

    def __init__(self, settings: AwsSecretsSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None
        self._pid = 0

    def __call__(self) -> str:
        """AccessUnavailable for every failure, InvalidRequest for a secret that is not text."""
        name = shown(self._settings.secret_id)
        try:
            answer = self._connected().get_secret_value(SecretId=self._settings.secret_id)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            step = _NEXT_STEPS.get(code, "see the AWS documentation of that error")
            raise AccessUnavailable(
                f"AWS Secrets Manager answered {shown(code)} for the secret {name}: {step}"
            ) from error
        except NoRegionError as error:
            raise AccessUnavailable(f"The region of the secret {name} is unknown: set auth.region_name") from error
        except (BotoCoreError, HTTPError, OSError) as error:
            raise AccessUnavailable(
                f"AWS Secrets Manager did not give the secret {name} ({type(error).__name__}): check network and "
                "credentials"
            ) from error
        text = answer.get("SecretString")
        if isinstance(text, str):
            return text
        if "SecretBinary" in answer:
            raise InvalidRequest("the secret is binary: store the JSON as text (SecretString)")
        # botocore makes an empty answer of one that broke off.
        raise AccessUnavailable(f"AWS Secrets Manager gave no whole answer for the secret {name}: it is asked again")

    def _connected(self) -> Any:
        with self._lock:
            # No connection is shared with the process from which this one was forked.
            if self._client is None or self._pid != os.getpid():
                self._client, self._pid = self._connect(), os.getpid()
            return self._client

    def _connect(self) -> Any:
        settings = self._settings
        session = botocore.session.Session(profile=settings.profile_name)
        key, secret, token = (
            None if one is None else one.get_secret_value()
            for one in (settings.aws_access_key_id, settings.aws_secret_access_key, settings.aws_session_token)
        )
        return session.create_client(
            "secretsmanager",
            region_name=settings.region_name,
            endpoint_url=settings.endpoint_url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                tcp_keepalive=True,
            ),
        )
