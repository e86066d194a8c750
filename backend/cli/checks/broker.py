"""Checks of the broker: it answers, it keeps what it is given, and nobody else can give it anything."""

from __future__ import annotations

from typing import Any

from backend.cli.checks.base import Check, ok, problem, shown_url, unavailable, warning
from backend.cli.checks.remedies import remedy
from backend.config.environment import Environment
from backend.config.redis_server import read_redis_url

FLOOR = (6, 2)
"""The oldest redis-server that Celery's transport supports."""
THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}


def check_broker(environment: Environment) -> list[Check]:
    """Check the answer of Redis, its durability and who can reach it."""
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry

    access = judge_access(environment.redis_url)
    # Once: by itself the client would ask a silent server ten times more, and take a minute.
    once = {"socket_connect_timeout": 3, "socket_timeout": 3, "retry": Retry(NoBackoff(), 0)}
    try:
        with environment.redis.client(**once) as client:
            facts = {"version": client.info("server")["redis_version"]}
            try:
                facts |= client.config_get("maxmemory-policy", "appendonly")
            except RedisError:
                facts["closed"] = True
    except (RedisError, OSError) as error:
        told = remedy(environment, process="broker", alone="Check REDIS_URL, and that the server runs.")
        reason = "does not answer" if environment.embedded_broker else f"does not answer: {_reason(error)}"
        return [unavailable("broker", reason, told), access]
    return [judge_version(facts["version"]), judge_durability(facts), access]


def judge_version(version: str) -> Check:
    """Judge the server's version, as it reports it to Redis clients."""
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts < FLOOR:
        return problem("broker", f"version {version}", "Use redis-server 6.2 or newer, or valkey-server.")
    return ok("broker", f"answers, version {version}")


def judge_durability(facts: dict[str, Any]) -> Check:
    """Judge whether the server keeps what it holds: when its memory is short, and when it is killed."""
    name = "broker durability"
    if facts.get("closed"):
        return warning(
            name, "the server does not show its configuration", "Check maxmemory-policy and appendonly there."
        )
    if facts.get("maxmemory-policy") != "noeviction":
        return problem(
            name,
            f"maxmemory-policy is {facts.get('maxmemory-policy')}",
            "Set it to noeviction: it drops work otherwise.",
        )
    if facts.get("appendonly") != "yes":
        return warning(
            name, "appendonly is off", "Turn it on; without it a restart delays queued work until it is found again."
        )
    return ok(name, "noeviction, append-only file")


def judge_access(url: str) -> Check:
    """Judge who can reach the server: whoever can write there can start tasks."""
    name = "broker access"
    server = read_redis_url(url)
    if server.path:
        return ok(name, "a socket of this machine")
    local = all(host in THIS_MACHINE for host, _ in server.hosts)
    if not server.password and not local:
        return problem(name, f"{shown_url(url)} has no password", "Set one on the server and in REDIS_URL.")
    if not server.password:
        return warning(name, f"{shown_url(url)} has no password", "Any user of this machine can start tasks; set one.")
    if server.tls is None and not local:
        return warning(name, f"{shown_url(url)} is not encrypted", "Use rediss:// unless the network is yours alone.")
    return ok(name, "with a password")


def _reason(error: BaseException) -> str:
    # The innermost error says why; the outer ones may repeat the URL.
    while error.__cause__ is not None:
        error = error.__cause__
    return getattr(error, "strerror", None) or type(error).__name__
