"""What REPOMILL_STORAGE_URL says: which storages of Django's hold what the hosts of an installation exchange.

    s3://ACCESS_KEY:SECRET@bucket/prefix?endpoint=https://s3.example.org:9000&region=eu-central-1&ca=/etc/ca.pem
    file:///mnt/shared/repomill

Without a key in it, boto3 looks where it always does: a role of the machine, a file of credentials. Nothing is
connected to here, and what S3 needs is imported only where an S3 address is given.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from backend.config.addresses import has_possible_port
from backend.errors import ConfigurationError

VARIABLE = "REPOMILL_STORAGE_URL"
ALIASES = ("archives", "packs")
"""The storages, each below a folder of its name."""
EXAMPLES = "s3://bucket/prefix?endpoint=https://s3.example.org or file:///mnt/shared"
_OPTIONS = {"endpoint", "region", "ca"}
READ_SECONDS = 60
CONNECT_SECONDS = 5
TRIES = 3
IN_MEMORY = 8 * 1024 * 1024
"""Bytes of an object that is read which are kept in memory; what is larger goes through a temporary file."""


def check_storage_url(url: str) -> None:
    """Raise ConfigurationError, which does not show the URL, unless it is one of the two forms, or empty."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        fits = {"s3": _is_s3, "file": _is_file}[parts.scheme](parts)
    except (KeyError, ValueError):
        fits = False
    if not fits:
        raise ConfigurationError(
            f"{VARIABLE} must be of a form such as {EXAMPLES}.",
            field=VARIABLE,
            hint="A slash, a colon or an @ in a key is written %2F, %3A or %40.",
        )


def storages_of(url: str) -> dict[str, dict[str, Any]]:
    """Return what belongs into STORAGES for a URL that was checked; nothing for the empty one."""
    if not url:
        return {}
    parts = urlsplit(url)
    if parts.scheme == "file":
        folder = unquote(parts.path).rstrip("/")
        backend = "django.core.files.storage.FileSystemStorage"
        return {
            alias: {"BACKEND": backend, "OPTIONS": {"location": f"{folder}/{alias}", "allow_overwrite": True}}
            for alias in ALIASES
        }
    options = _s3_options(parts)
    prefix = unquote(parts.path).strip("/")
    return {
        alias: {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": options | {"location": f"{prefix}/{alias}".lstrip("/")},
        }
        for alias in ALIASES
    }


def _is_s3(parts: SplitResult) -> bool:
    given = parse_qs(parts.query, strict_parsing=bool(parts.query))
    endpoint = urlsplit(given.get("endpoint", ["https://x"])[0])
    return bool(
        parts.hostname
        and parts.port is None
        and bool(parts.username) == bool(parts.password)
        and given.keys() <= _OPTIONS
        and endpoint.scheme in {"http", "https"}
        and endpoint.hostname
        and has_possible_port(endpoint)
    )


def _is_file(parts: SplitResult) -> bool:
    return not parts.netloc and parts.path.startswith("/") and len(parts.path) > 1 and not parts.query


def _s3_options(parts: SplitResult) -> dict[str, Any]:
    try:
        from botocore.config import Config
    except ImportError as error:
        raise ConfigurationError(
            f"{VARIABLE} names an S3 storage, and what it needs is not installed.",
            field=VARIABLE,
            hint="Install it: pip install 'repomill[s3]'.",
        ) from error
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    keys = {"access_key": parts.username, "secret_key": parts.password}
    return {
        **{name: unquote(value) for name, value in keys.items() if value},
        "bucket_name": parts.netloc.rpartition("@")[2],
        "endpoint_url": given.get("endpoint"),
        "region_name": given.get("region"),
        "verify": given.get("ca"),
        "file_overwrite": True,
        "default_acl": None,
        "max_memory_size": IN_MEMORY,
        "client_config": Config(
            signature_version="s3v4",
            # A server of one's own seldom has a name for each bucket.
            s3={"addressing_style": "path" if "endpoint" in given else "auto"},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": TRIES, "mode": "standard"},
            # We know the digest of everything we keep; not every server knows the newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    }
