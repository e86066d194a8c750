"""Which Redis an installation uses, read from its URL once, for everybody who talks to it: Celery, Flower, the cache of
requests that were counted, the pace of deliveries, `repomill doctor`. Their libraries write the same thing differently.

    redis+socket:///run/redis.sock?virtual_host=0
    redis://user:password@host:6379/0
    rediss://user:password@host:6379/0?ssl_ca_certs=/etc/redis/ca.pem
    sentinel://user:password@one:26379,two:26379,three:26379/0?master=repomill&sentinel_password=...&ssl=true

With TLS the server's certificate and name are always checked. Nothing is connected to here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from backend.config.addresses import has_possible_port
from backend.errors import ConfigurationError

VARIABLE = "REDIS_URL"
_FILES = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
_TLS = _FILES | {"ssl_cert_reqs"}
_KNOWN: dict[str, set[str]] = {
    "redis+socket": {"virtual_host"},
    "unix": {"db"},
    "redis": set(),
    "rediss": _TLS,
    "sentinel": {"master", "sentinel_username", "sentinel_password", "ssl"} | _TLS,
}
PORTS = {"redis": 6379, "rediss": 6379, "sentinel": 26379}


@dataclass(frozen=True)
class RedisServer:
    """A Redis: its own addresses, or those of the sentinels that know which server is the master now."""

    scheme: str
    path: str = ""
    """The Unix socket."""
    hosts: tuple[tuple[str, int], ...] = ()
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    master: str = ""
    """The name by which the sentinels know the server."""
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    tls: dict[str, str] | None = None
    """None: no TLS. Else the files of the certificates: ssl_ca_certs, ssl_certfile, ssl_keyfile."""

    def client(self, **options: Any) -> Any:  # noqa: ANN401  (redis is not typed to the end)
        """Return a client that connects when it is used. options: redis-py's own, such as socket_timeout in seconds."""
        # Not above: who only reads the URL does not pay for the client, and for what it imports in its turn.
        from redis import Redis
        from redis.sentinel import Sentinel

        options = self._account | {"db": self.database} | self._checked | options
        if self.scheme == "redis+socket":
            return Redis(unix_socket_path=self.path, **options)
        if self.scheme == "sentinel":
            ours = {name: value for name, value in options.items() if name.startswith("socket_")}
            sentinel: Any = Sentinel(list(self.hosts), sentinel_kwargs=self._sentinel | ours, **options)  # type: ignore[no-untyped-call]
            return sentinel.master_for(self.master)
        ((host, port),) = self.hosts
        return Redis(host=host, port=port, **options)

    @property
    def broker_url(self) -> str:
        """The URL as Celery takes it, with everything that it does not take from its other settings."""
        account = ""
        if self.password is not None:
            account = f"{quote(self.username or '', safe='')}:{quote(self.password, safe='')}@"
        if self.scheme == "redis+socket":
            return f"redis+socket://{account}{quote(self.path)}?virtual_host={self.database}"
        query = ""
        if self.scheme == "rediss":
            # Said here too: where Celery only shows its settings, it would else warn of TLS without a check.
            query = f"?{urlencode({'ssl_cert_reqs': 'required', **(self.tls or {})})}"
        places = (f"{_shown(host)}:{port}/{self.database}{query}" for host, port in self.hosts)
        return ";".join(f"{self.scheme}://{account}{place}" for place in places)

    @property
    def broker_use_ssl(self) -> dict[str, Any] | None:
        """Celery's setting of this name."""
        return None if self.tls is None else {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **self.tls}

    @property
    def transport_options(self) -> dict[str, Any]:
        """What Celery's `broker_transport_options` needs for it."""
        if self.scheme != "sentinel":
            return {}
        return {"master_name": self.master, "sentinel_kwargs": self._sentinel | {"socket_connect_timeout": 2}}

    @cached_property
    def _account(self) -> dict[str, Any]:
        given = {"username": self.username, "password": self.password}
        return {name: value for name, value in given.items() if value is not None}

    @cached_property
    def _checked(self) -> dict[str, Any]:
        return {} if self.broker_use_ssl is None else {"ssl": True, **self.broker_use_ssl}

    @cached_property
    def _sentinel(self) -> dict[str, Any]:
        given = {"username": self.sentinel_username, "password": self.sentinel_password}
        return {name: value for name, value in given.items() if value is not None} | self._checked


def read_redis_url(url: str) -> RedisServer:
    """Return what a URL says. Raises ConfigurationError, which does not show it."""
    try:
        return _read(url)
    except (ValueError, KeyError) as error:
        raise ConfigurationError(
            f"{VARIABLE} makes no sense: {error.args[0] if isinstance(error, _Senseless) else 'it is no such URL'}.",
            field=VARIABLE,
            hint="Write redis://:password@host:6379/0, rediss:// with ?ssl_ca_certs=FILE for TLS, redis+socket:///PATH,"
            " or sentinel://:password@one:26379,two:26379/0?master=NAME; a slash, a colon, an @ in a password is %2F,"
            " %3A, %40.",
        ) from None


class _Senseless(ValueError):
    """A URL that cannot be meant; its text is shown, so it holds nothing of the URL but names."""


def _read(url: str) -> RedisServer:
    # Newer versions of Python take no URL for one that names several hosts of which one is an address in brackets.
    scheme, _, rest = url.partition("://")
    netloc = re.split("[/?#]", rest, maxsplit=1)[0]
    parts = urlsplit(f"{scheme}://host{rest[len(netloc) :]}")
    if parts.scheme not in _KNOWN:
        raise _Senseless("it begins with none of " + ", ".join(f"{scheme}://" for scheme in _KNOWN))
    given = {name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
    if unknown := sorted(given.keys() - _KNOWN[parts.scheme]):
        raise _Senseless(f"{parts.scheme}:// has no option {unknown[0][:30]}")
    account, _, places = netloc.rpartition("@")
    username, _, password = account.partition(":")
    common: dict[str, Any] = {
        "username": unquote(username) or None,
        "password": unquote(password) or None,
    }
    if parts.scheme in {"redis+socket", "unix"}:
        database = given.get("virtual_host", given.get("db", "0"))
        return RedisServer("redis+socket", path=unquote(parts.path), database=_database(database), **common)
    hosts = tuple(_host(place, scheme=parts.scheme) for place in places.split(","))
    if parts.scheme != "sentinel" and len(hosts) > 1:
        raise _Senseless(f"{parts.scheme}:// has one host; several are for sentinel://")
    if given.get("ssl_cert_reqs", "required").upper().removeprefix("CERT_") != "REQUIRED":
        raise _Senseless("the server's certificate is always checked; leave ssl_cert_reqs out")
    files = {name: value for name, value in given.items() if name in _FILES}
    encrypted = parts.scheme == "rediss" or bool(files) or given.get("ssl", "").lower() in {"true", "1", "yes"}
    if parts.scheme == "sentinel" and not given.get("master"):
        raise _Senseless("sentinel:// needs ?master=NAME, the name by which the sentinels know the server")
    return RedisServer(
        parts.scheme,
        hosts=hosts,
        database=_database(parts.path.strip("/") or "0"),
        master=given.get("master", ""),
        sentinel_username=given.get("sentinel_username"),
        sentinel_password=given.get("sentinel_password"),
        tls=files if encrypted else None,
        **common,
    )


def _host(place: str, *, scheme: str) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise _Senseless("it names no host")
    if not has_possible_port(parts):
        raise _Senseless("no server has the port 0")
    return parts.hostname, parts.port or PORTS[scheme]


def _database(text: str) -> int:
    if not text.isdecimal():
        raise _Senseless("the database is a number")
    return int(text)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
