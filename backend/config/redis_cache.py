"""Django's cache on the installation's Redis, however that is reached: a socket, TLS, or by way of sentinels."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.backoff import NoBackoff
from redis.retry import Retry

from backend.config.redis_server import read_redis_url


class _Client(RedisCacheClient):
    def __init__(self, servers: list[str], **options: Any) -> None:  # noqa: ANN401  (redis-py's)
        super().__init__(servers, serializer=options.pop("serializer", None))
        # A request does not wait for a server that is not there.
        at_once = {"retry": Retry(NoBackoff(), 0)}
        # The sentinels are asked anew for each connection that is made.
        self._pool = read_redis_url(servers[0]).client(**at_once | options).connection_pool

    def _get_connection_pool(self, write: bool) -> Any:  # noqa: ANN401, ARG002  (Django's own)
        return self._pool


class Cache(RedisCache):
    """`LOCATION` is written as REDIS_URL is; OPTIONS are redis-py's, and `serializer`."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        # Django would take a comma, which stands between sentinels, for one between servers.
        super().__init__("", params)
        self._servers = [server]
        self._class = _Client
