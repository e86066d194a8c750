"""How Celery is told of the broker: Redis, or a RabbitMQ with quorum queues. `celeryconfig` has all other settings."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from kombu import Queue

from backend.config.addresses import has_possible_port
from backend.config.redis_server import RedisServer
from backend.errors import ConfigurationError

VARIABLE = "REPOMILL_BROKER_URL"
_FILES = {"ssl_ca_certs": "ca_certs", "ssl_certfile": "certfile", "ssl_keyfile": "keyfile"}


@dataclass(frozen=True)
class Broker:
    """A broker in Celery's words."""

    url: str = field(repr=False)
    use_ssl: dict[str, Any] | None
    options: dict[str, Any] = field(repr=False)
    """What its transport needs beside the options of all."""
    queue_arguments: dict[str, Any] | None = None

    def queue(self, name: str) -> Queue:
        """Return a queue of this name on it."""
        return Queue(name, queue_arguments=self.queue_arguments)


def of(redis: RedisServer, *, rabbitmq: str) -> Broker:
    """Return the broker: the RabbitMQ of that URL, or where there is none Redis."""
    if not rabbitmq:
        return Broker(redis.broker_url, redis.broker_use_ssl, redis.transport_options)
    parts = urlsplit(rabbitmq)
    files = {_FILES[name]: values[-1] for name, values in parse_qs(parts.query).items()}
    secure = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": parts.hostname, **files}
    return Broker(
        parts._replace(query="").geturl(),
        secure if parts.scheme == "amqps" else None,
        # A message counts as sent once most of the servers have it.
        {"confirm_publish": True, "read_timeout": 10, "write_timeout": 10},
        {"x-queue-type": "quorum"},
    )


def check_broker_url(url: str) -> None:
    """Raise ConfigurationError, which does not show the URL, unless it is RabbitMQ's or empty."""
    if not url:
        return
    try:
        fits = _is_amqp(urlsplit(url))
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(
            f"{VARIABLE} must be of the form amqps://user:password@host:5671/vhost?ssl_ca_certs=FILE.",
            field=VARIABLE,
            hint="It is for RabbitMQ alone; a Redis is named by REDIS_URL. A slash in a password is written %2F.",
        )


def _is_amqp(parts: SplitResult) -> bool:
    given = parse_qs(parts.query, strict_parsing=bool(parts.query))
    named = parts.scheme in {"amqp", "amqps"} and bool(parts.hostname)
    return named and has_possible_port(parts) and given.keys() <= _FILES.keys()
