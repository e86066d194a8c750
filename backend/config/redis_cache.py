"""Django's cache on the installation's Redis, however that is reached: a socket, TLS, or by way of sentinels."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from backend.config.redis_server import read_redis_url


class _Client(RedisCacheClient):
    def _get_connection_pool(self, write: bool) -> Any:  # noqa: ANN401  (Django's own)
        index = self._get_connection_pool_index(write)
        if index not in self._pools:
            # Asked of the sentinels anew for each connection that is made.
            options = {name: value for name, value in self._pool_options.items() if name != "parser_class"}
            self._pools[index] = read_redis_url(self._servers[index]).client(**options).connection_pool
        return self._pools[index]


class Cache(RedisCache):
    """`LOCATION` is written as REDIS_URL is; OPTIONS are redis-py's, and `serializer`."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        # Django would take a comma, which stands between sentinels, for one between servers.
        super().__init__("", params)
        self._servers = [server]
        self._class = _Client
