"""What is known of an OpenID Connect provider that users may log in with: read once, from a file of the operator's.

The file is JSON: `client_id` and `client_secret`, and of the provider's own discovery document (at
`/.well-known/openid-configuration`) `issuer`, `authorization_endpoint`, `token_endpoint`, `userinfo_endpoint` and
`jwks_uri`. `name` is what the button says, `algorithm` (default RS256) what its tokens are signed with. It is not asked
for over the network, so that a provider which is away keeps no process from starting.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backend.errors import ConfigurationError

VARIABLE = "REPOMILL_OIDC_FILE"
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
_ADDRESSES = ("issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
_LOCAL = {"127.0.0.1", "localhost", "::1"}


def oidc_settings(path: Path) -> dict[str, Any]:
    """Return Django's settings for the provider that the file describes.

    Raises ConfigurationError, which repeats nothing of the file but names, where it cannot be used.
    """
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(f"{path} cannot be read as JSON: {type(error).__name__}") from error
    if not isinstance(known, dict):
        raise _wrong(f"{path} holds no JSON object")
    for name in ("client_id", "client_secret", *_ADDRESSES):
        if not isinstance(known.get(name), str) or not known[name]:
            raise _wrong(f"{path} has no {name}")
    for name in _ADDRESSES:
        parts = urlsplit(known[name])
        if parts.scheme != "https" and parts.hostname not in _LOCAL:
            raise _wrong(f"the {name} in {path} is not https")
    algorithm = known.get("algorithm", ALGORITHMS[0])
    if algorithm not in ALGORITHMS:
        raise _wrong(f"the algorithm in {path} is none of {', '.join(ALGORITHMS)}")
    return {
        "SINGLE_SIGN_ON": str(known.get("name") or urlsplit(known["issuer"]).hostname),
        "OIDC_ISSUER": known["issuer"],
        "OIDC_RP_CLIENT_ID": known["client_id"],
        "OIDC_RP_CLIENT_SECRET": known["client_secret"],
        "OIDC_RP_SIGN_ALGO": algorithm,
        "OIDC_RP_SCOPES": "openid profile email",
        "OIDC_OP_AUTHORIZATION_ENDPOINT": known["authorization_endpoint"],
        "OIDC_OP_TOKEN_ENDPOINT": known["token_endpoint"],
        "OIDC_OP_USER_ENDPOINT": known["userinfo_endpoint"],
        "OIDC_OP_JWKS_ENDPOINT": known["jwks_uri"],
        "OIDC_USE_PKCE": True,
        "OIDC_TIMEOUT": 10,
        "OIDC_CALLBACK_CLASS": "backend.apps.authentication.single_sign_on.Callback",
        "LOGIN_REDIRECT_URL_FAILURE": "console:login",
        "AUTHENTICATION_BACKENDS": [
            "django.contrib.auth.backends.ModelBackend",
            "backend.apps.authentication.single_sign_on.SingleSignOn",
        ],
    }


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(f"{VARIABLE}: {what}.", hint="See docs/guides/console.md, or unset it.")
