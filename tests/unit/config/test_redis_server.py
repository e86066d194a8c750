"""What REDIS_URL and REPOMILL_BROKER_URL say, and what each library is told of it."""

from __future__ import annotations

from typing import Any

import pytest
from redis.sentinel import SentinelConnectionPool

from backend.config import broker
from backend.config.environment import read
from backend.config.redis_server import RedisServer, read_redis_url
from backend.errors import ConfigurationError

TLS = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
SENTINELS = "sentinel://u:p%40ss@one:1,two,[::1]:3/4?master=main&sentinel_password=s%2F&ssl_ca_certs=/ca.pem"


@pytest.mark.parametrize(
    ("url", "server", "celery"),
    [
        (
            "redis+socket:///srv/a%20b/redis.sock?virtual_host=2",
            RedisServer("redis+socket", path="/srv/a b/redis.sock", database=2),
            "redis+socket:///srv/a%20b/redis.sock?virtual_host=2",
        ),
        (
            "redis://:p%2Fw@host/1",
            RedisServer("redis", hosts=(("host", 6379),), password="p/w", database=1),
            "redis://:p%2Fw@host:6379/1",
        ),
        (
            "rediss://u:p@[::1]:7000?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required",
            RedisServer("rediss", hosts=(("::1", 7000),), username="u", password="p", tls={"ssl_ca_certs": "/ca.pem"}),
            "rediss://u:p@[::1]:7000/0?ssl_cert_reqs=required&ssl_ca_certs=%2Fca.pem",
        ),
        (
            SENTINELS,
            RedisServer(
                "sentinel",
                hosts=(("one", 1), ("two", 26379), ("::1", 3)),
                username="u",
                password="p@ss",
                database=4,
                master="main",
                sentinel_password="s/",
                tls={"ssl_ca_certs": "/ca.pem"},
            ),
            "sentinel://u:p%40ss@one:1/4;sentinel://u:p%40ss@two:26379/4;sentinel://u:p%40ss@[::1]:3/4",
        ),
    ],
)
def test_every_form_is_read_and_said_again_for_celery(url: str, server: RedisServer, celery: str):
    found = read_redis_url(url)
    assert found == server
    assert found.broker_url == celery
    assert "p@ss" not in repr(found)


def test_tls_always_checks_and_the_sentinels_have_their_own_password():
    found = read_redis_url(SENTINELS)
    assert found.broker_use_ssl == TLS | {"ssl_ca_certs": "/ca.pem"}
    kept = found.transport_options
    assert kept["master_name"] == "main"
    asked = {"password": "s/", "ssl": True, "ssl_ca_certs": "/ca.pem", **TLS}
    assert asked.items() <= kept["sentinel_kwargs"].items()
    assert "username" not in kept["sentinel_kwargs"]
    plain = read_redis_url("redis://host/0")
    assert (plain.broker_use_ssl, plain.transport_options) == (None, {})
    assert read_redis_url("rediss://host/0").broker_use_ssl == TLS


def test_clients():
    pool = read_redis_url(SENTINELS).client(socket_timeout=3).connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "main"
    (first, *_) = pool.sentinel_manager.sentinels
    told = first.connection_pool.connection_kwargs
    assert (told["password"], told["socket_timeout"], told["ssl_ca_certs"]) == ("s/", 3, "/ca.pem")
    socket = read_redis_url("redis+socket:///s?virtual_host=3").client().connection_pool.connection_kwargs
    assert (socket["path"], socket["db"]) == ("/s", 3)


@pytest.mark.parametrize(
    "url",
    [
        *("", "http://hunter2", "redis://", "redis://h:hunter2", "redis://h/hunter2", "redis://a,b/0", "redis://h?x=1"),
        *("rediss://:hunter2@h?ssl_cert_reqs=none", "sentinel://:hunter2@h:1/0", "redis+socket:///s?virtual_host=x"),
        *("redis://h?ssl_ca_certs=/x", "redis://:hunter2@h:99999", "redis://:hunter2@h:0"),
    ],
)
def test_what_makes_no_sense_is_refused_without_being_shown(url: str):
    with pytest.raises(ConfigurationError, match="REDIS_URL") as raised:
        read_redis_url(url)
    assert "hunter2" not in f"{raised.value} {raised.value.hint}"


def test_rabbitmq_takes_the_messages_and_redis_keeps_the_rest():
    given = read({"REDIS_URL": "redis://h/0", "REPOMILL_BROKER_URL": "amqps://u:p@mq/v?ssl_ca_certs=/ca.pem"})
    found = broker.of(given.redis, rabbitmq=given.broker_url)
    assert found.url == "amqps://u:p@mq/v"
    assert found.use_ssl is not None
    assert (found.use_ssl["ca_certs"], found.use_ssl["server_hostname"]) == ("/ca.pem", "mq")
    assert found.options["confirm_publish"] is True
    queue: Any = found.queue("export")
    assert queue.queue_arguments == {"x-queue-type": "quorum"}
    assert queue.durable
    own = broker.of(given.redis, rabbitmq="")
    assert (own.url, own.use_ssl, own.queue("x").queue_arguments) == ("redis://h:6379/0", None, None)


@pytest.mark.parametrize(
    "url",
    [
        *("redis://:hunter2@h", "amqp://", "amqp://h?heartbeat=hunter2", "amqp://[hunter2"),
        *("amqp://u:hunter2@h:99999", "amqp://u:hunter2@h:x", "amqp://u:hunter2@h:0", "amqp://u:hun/ter2@h/v"),
    ],
)
def test_another_broker_is_refused(url: str):
    with pytest.raises(ConfigurationError, match="REPOMILL_BROKER_URL") as raised:
        read({"REPOMILL_BROKER_URL": url})
    assert "hunter2" not in f"{raised.value} {raised.value.hint}"
