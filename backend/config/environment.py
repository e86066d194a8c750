"""Every setting that comes from the environment, in one typed value.

It is read once per process by `load`. A senseless value stops the process with the variable's name.
Secrets that Repomill makes for itself are not read from here, see `backend.config.secret_files`. A URL that holds a
password can lie in a file whose path is given: DATABASE_URL_FILE for DATABASE_URL, REDIS_URL_FILE for REDIS_URL, and
so on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from environs import Env, EnvError

from backend.config.addresses import check_collector, check_link, check_origin
from backend.config.broker import check_broker_url
from backend.config.database_url import check_database_url
from backend.config.mail_url import check_mail_url
from backend.config.rates import Rate, read_rate
from backend.config.redis_server import RedisServer, read_redis_url
from backend.config.storage_url import check_storage_url
from backend.errors import ConfigurationError

ROOT = Path(__file__).resolve().parent.parent.parent

# sun_path holds 108 bytes; what is left over is room for the names that servers append.
LONGEST_SOCKET_PATH = 100
ARCHIVE_SENDERS = ("repomill", "web-server", "storage")
_LOCATION = re.compile(r"/(?:[A-Za-z0-9._~-]+/)+", re.ASCII)
CREDENTIAL_KEYS = "credential_keys"
"""The file among the secrets that holds the credentials' keys, unless another is named."""


@dataclass(frozen=True)
class Environment:
    """The settings of this process. Paths are absolute, durations are seconds."""

    data_dir: Path
    """REPOMILL_DATA_DIR: where everything Repomill writes lies; default `var/` in the checkout."""
    database_url: str
    """DATABASE_URL, or the content of the file DATABASE_URL_FILE: the database, such as
    postgres://repomill:password@db.example.org:5432/repomill; default SQLite in the data folder."""
    redis_url: str
    """REDIS_URL, or the content of the file REDIS_URL_FILE: the broker, such as redis://:password@redis.example.org:6379/0,
    rediss://...?ssl_ca_certs=FILE for TLS, sentinel://:password@one:26379,two:26379/0?master=NAME; default the embedded
    one in the data folder, which `repomill up` starts."""
    broker_url: str
    """REPOMILL_BROKER_URL, or the content of the file REPOMILL_BROKER_URL_FILE: a RabbitMQ that takes the messages
    instead, such as amqps://user:password@rabbit.example.org:5671/vhost; default none. What is counted and paced stays
    in Redis."""
    backend_url: str
    """BACKEND_URL: the origin of our own REST API as workers reach it; default http://127.0.0.1:8000."""
    generated_projects_dir: Path
    """GENERATED_PROJECTS_DIR: the root of all workspaces; default `generated-projects/` in the data folder."""
    debug: bool
    """REPOMILL_DEBUG: Django's debug pages; default no, and never in production."""
    allowed_hosts: tuple[str, ...]
    """REPOMILL_ALLOWED_HOSTS: host names the web process answers to, comma separated; default
    127.0.0.1,localhost,[::1]."""
    git_internal_hosts: tuple[str, ...]
    """REPOMILL_GIT_INTERNAL_HOSTS: IP addresses, names of this machine, and names that lead to addresses which are not
    public, that may be pushed to, comma separated; default none. Other hosts are reached by name and https."""
    credential_keys_file: Path
    """REPOMILL_CREDENTIAL_KEYS_FILE: the keys that credentials are encrypted with, newest first; default
    `credential_keys` among the secrets of the data folder, made at first use."""
    oidc_file: Path | None
    """REPOMILL_OIDC_FILE: what is known of an OpenID Connect provider that users may log in with, see
    `backend.config.single_sign_on`; default none. Needs the extra `sso`."""
    lease_seconds: int
    """REPOMILL_LEASE_SECONDS: how long a task may be silent before another worker takes it over; default 30."""
    reconcile_seconds: float
    """REPOMILL_RECONCILE_SECONDS: how often lost work is looked for; default 5."""
    task_soft_limit: int
    """REPOMILL_TASK_SOFT_LIMIT: seconds after which a task is asked to stop; default 1500."""
    task_hard_limit: int
    """REPOMILL_TASK_HARD_LIMIT: seconds after which a task's process is killed; default 1800."""
    worker_concurrency: int
    """REPOMILL_WORKER_CONCURRENCY: pool processes of each worker that `repomill up` starts; default 2."""
    rate_user: Rate | None
    """REPOMILL_RATE_USER: how often a user may call the API, such as 12000/minute (the default), or none."""
    rate_address: Rate | None
    """REPOMILL_RATE_ADDRESS: how often an address may call it without a token; default 600/minute."""
    rate_dry_run: Rate | None
    """REPOMILL_RATE_DRY_RUN: how often a user may ask what a workflow would do; default 60/minute."""
    rate_login: Rate | None
    """REPOMILL_RATE_LOGIN: how often an address may try passwords and refresh tokens; default 30/minute. For one
    account, from all addresses together, it is five times that."""
    proxies: int
    """REPOMILL_PROXIES: how many proxies stand in front, each of which adds to X-Forwarded-For; default 0, and then
    that header means nothing."""
    largest_body: int
    """REPOMILL_LARGEST_BODY: bytes that a request's body may have; default 10 MiB. Uploads of files have their own."""
    archives_sent_by: str
    """REPOMILL_ARCHIVES_SENT_BY: who sends archives to those who download them. `repomill` itself (the default);
    `web-server`: the one in front, told by X-Accel-Redirect; `storage`: the object storage, to whose own signed address
    the client is sent on."""
    archives_location: str
    """REPOMILL_ARCHIVES_LOCATION: the path below which the web server in front has the folder of archives, for its own
    use alone; default /_archives/."""
    drain_seconds: float
    """REPOMILL_DRAIN_SECONDS: how long a worker that is asked to stop lets its work finish; default 6. What is not done
    by then is handed back. It must lie below the time after which the worker is killed: 10 s in `repomill up`."""
    alive_file: Path | None
    """REPOMILL_ALIVE_FILE: a file that a worker touches every ten seconds while it has its broker, for whoever watches
    it; default none."""
    web_url: str
    """REPOMILL_WEB_URL: where browsers reach the web process, for links; default none, and
    `repomill up` knows its own."""
    flower_url: str
    """REPOMILL_FLOWER_URL: where browsers reach Flower, an address or a path such as /flower/; default none, and
    then there is no link."""
    log_format: str
    """REPOMILL_LOG_FORMAT: `line` for a person (the default), or `json`, one object a line."""
    traces_to: str
    """REPOMILL_TRACES_TO: where traces are sent, the address of an OTLP collector such as
    http://collector:4318/v1/traces, or written, the absolute path of a file; default nowhere, at no cost."""
    agent_actions_days: int
    """REPOMILL_AGENT_ACTIONS_DAYS: how long the audit trail keeps what an agent did; default 365."""
    flower_control: bool
    """REPOMILL_FLOWER_CONTROL: let Flower stop workers and revoke tasks; default no, it only watches."""
    storage_url: str
    """REPOMILL_STORAGE_URL, or the content of the file REPOMILL_STORAGE_URL_FILE: the storage through which hosts that
    share no folder exchange what they generate and keep archives, such as s3://bucket/prefix?endpoint=https://...;
    default none: all of them have the data folder, and nothing is uploaded."""

    mail_url: str
    """REPOMILL_MAIL_URL, or the content of the file REPOMILL_MAIL_URL_FILE: the server that takes mails, and whose they
    are, such as smtps://user:password@mail.example.org?from=repomill@example.org; smtp:// for STARTTLS, and with tls=no
    for a relay nearby; default port 25 of this machine."""

    @property
    def embedded_broker(self) -> bool:
        """Whether the broker is the embedded one."""
        return self.redis_url == embedded_redis_url(self.data_dir)

    @property
    def redis(self) -> RedisServer:
        """What REDIS_URL says."""
        return read_redis_url(self.redis_url)

    @property
    def broker_socket(self) -> Path:
        """The embedded broker's Unix socket."""
        return self.data_dir / "redis.sock"

    @property
    def secrets_dir(self) -> Path:
        """The folder of generated secrets, mode 0700."""
        return self.data_dir / "secrets"

    @property
    def credential_keys_given(self) -> bool:
        """Whether another file of keys was named; that one is never made by Repomill."""
        return self.credential_keys_file != self.secrets_dir / CREDENTIAL_KEYS


def embedded_redis_url(data_dir: Path) -> str:
    """Return the URL of the broker that `repomill up` starts for a data folder."""
    return f"redis+socket://{quote(str(data_dir / 'redis.sock'))}?virtual_host=0"


def read(variables: Mapping[str, str]) -> Environment:
    """Build the environment from variables.

    Raises ConfigurationError with the variable's name when one is missing or senseless.
    """
    env = Env()
    try:
        with _only(variables):
            return _check(_parse(env))
    except EnvError as error:
        raise ConfigurationError(str(error), hint="Correct the variable or unset it to use the default.") from error


def _parse(env: Env) -> Environment:
    data_dir = Path(env.str("REPOMILL_DATA_DIR", "") or ROOT / "var").expanduser().absolute()
    generated = env.str("GENERATED_PROJECTS_DIR", "") or str(data_dir / "generated-projects")
    keys_file = env.str("REPOMILL_CREDENTIAL_KEYS_FILE", "")
    oidc_file = env.str("REPOMILL_OIDC_FILE", "")
    return Environment(
        data_dir=data_dir,
        database_url=_url(env, "DATABASE_URL") or f"sqlite:///{quote(str(data_dir / 'repomill.sqlite3'))}",
        redis_url=_url(env, "REDIS_URL") or embedded_redis_url(data_dir),
        backend_url=(env.str("BACKEND_URL", "") or "http://127.0.0.1:8000").rstrip("/"),
        generated_projects_dir=Path(generated).expanduser().absolute(),
        debug=env.bool("REPOMILL_DEBUG", False),
        allowed_hosts=_hosts(env.str("REPOMILL_ALLOWED_HOSTS", "") or "127.0.0.1,localhost,[::1]"),
        git_internal_hosts=_hosts(env.str("REPOMILL_GIT_INTERNAL_HOSTS", "")),
        credential_keys_file=Path(keys_file or data_dir / "secrets" / CREDENTIAL_KEYS).expanduser().absolute(),
        oidc_file=Path(oidc_file).expanduser().absolute() if oidc_file else None,
        lease_seconds=env.int("REPOMILL_LEASE_SECONDS", 30),
        reconcile_seconds=env.float("REPOMILL_RECONCILE_SECONDS", 5.0),
        task_soft_limit=env.int("REPOMILL_TASK_SOFT_LIMIT", 1500),
        task_hard_limit=env.int("REPOMILL_TASK_HARD_LIMIT", 1800),
        worker_concurrency=env.int("REPOMILL_WORKER_CONCURRENCY", 2),
        rate_user=read_rate("REPOMILL_RATE_USER", env.str("REPOMILL_RATE_USER", "") or "12000/minute"),
        rate_address=read_rate("REPOMILL_RATE_ADDRESS", env.str("REPOMILL_RATE_ADDRESS", "") or "600/minute"),
        rate_dry_run=read_rate("REPOMILL_RATE_DRY_RUN", env.str("REPOMILL_RATE_DRY_RUN", "") or "60/minute"),
        rate_login=read_rate("REPOMILL_RATE_LOGIN", env.str("REPOMILL_RATE_LOGIN", "") or "30/minute"),
        proxies=env.int("REPOMILL_PROXIES", 0),
        largest_body=env.int("REPOMILL_LARGEST_BODY", 10 * 1024 * 1024),
        archives_sent_by=env.str("REPOMILL_ARCHIVES_SENT_BY", "") or "repomill",
        archives_location=env.str("REPOMILL_ARCHIVES_LOCATION", "") or "/_archives/",
        drain_seconds=env.float("REPOMILL_DRAIN_SECONDS", 6.0),
        alive_file=Path(env.str("REPOMILL_ALIVE_FILE")) if env.str("REPOMILL_ALIVE_FILE", "") else None,
        web_url=env.str("REPOMILL_WEB_URL", "").rstrip("/"),
        flower_url=env.str("REPOMILL_FLOWER_URL", ""),
        log_format=env.str("REPOMILL_LOG_FORMAT", "line"),
        traces_to=env.str("REPOMILL_TRACES_TO", ""),
        agent_actions_days=env.int("REPOMILL_AGENT_ACTIONS_DAYS", 365),
        flower_control=env.bool("REPOMILL_FLOWER_CONTROL", False),
        storage_url=_url(env, "REPOMILL_STORAGE_URL"),
        broker_url=_url(env, "REPOMILL_BROKER_URL"),
        mail_url=_url(env, "REPOMILL_MAIL_URL"),
    )


def _hosts(given: str) -> tuple[str, ...]:
    """Return the names of hosts that stand between commas, in lower case; blanks beside a comma mean nothing."""
    return tuple(filter(None, (host.strip().lower() for host in given.split(","))))


def _url(env: Env, name: str) -> str:
    """Return a URL that may hold a password: from its variable, or from the file that `<name>_FILE` names."""
    value: str = env.str(name, "")
    file: str = env.str(f"{name}_FILE", "")
    if not file:
        return value
    if value:
        raise ConfigurationError(
            f"Both {name} and {name}_FILE are set.", field=name, hint="Unset one of the two; the file is safer."
        )
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(f"{name}_FILE names {file}, which cannot be read: {reason}.", field=name) from error


def _check(environment: Environment) -> Environment:
    check_origin("BACKEND_URL", environment.backend_url)
    _check_telling(environment)
    check_database_url(environment.database_url)
    check_storage_url(environment.storage_url)
    read_redis_url(environment.redis_url)
    check_broker_url(environment.broker_url)
    check_mail_url(environment.mail_url)
    for name, value in (
        ("REPOMILL_LEASE_SECONDS", environment.lease_seconds),
        ("REPOMILL_RECONCILE_SECONDS", environment.reconcile_seconds),
        ("REPOMILL_TASK_SOFT_LIMIT", environment.task_soft_limit),
        ("REPOMILL_WORKER_CONCURRENCY", environment.worker_concurrency),
        ("REPOMILL_DRAIN_SECONDS", environment.drain_seconds),
        ("REPOMILL_LARGEST_BODY", environment.largest_body),
        ("REPOMILL_AGENT_ACTIONS_DAYS", environment.agent_actions_days),
    ):
        if value <= 0:
            raise ConfigurationError(f"{name} must be above 0, not {value}.", field=name)
    if environment.proxies < 0:
        raise ConfigurationError("REPOMILL_PROXIES cannot be below 0.", field="REPOMILL_PROXIES")
    if environment.task_hard_limit <= environment.task_soft_limit:
        raise ConfigurationError(
            "REPOMILL_TASK_HARD_LIMIT must be above REPOMILL_TASK_SOFT_LIMIT.", field="REPOMILL_TASK_HARD_LIMIT"
        )
    if environment.archives_sent_by not in ARCHIVE_SENDERS:
        raise ConfigurationError(
            f"REPOMILL_ARCHIVES_SENT_BY must be one of {', '.join(ARCHIVE_SENDERS)},"
            f" not {environment.archives_sent_by!r}.",
            field="REPOMILL_ARCHIVES_SENT_BY",
        )
    if not _LOCATION.fullmatch(environment.archives_location):
        raise ConfigurationError(
            f"REPOMILL_ARCHIVES_LOCATION must be a path such as /_archives/, not {environment.archives_location!r}.",
            field="REPOMILL_ARCHIVES_LOCATION",
        )
    if environment.embedded_broker and len(os.fsencode(environment.broker_socket)) > LONGEST_SOCKET_PATH:
        raise ConfigurationError(
            f"The data folder's path is too long for a Unix socket ({environment.broker_socket}).",
            field="REPOMILL_DATA_DIR",
            hint=f"Set REPOMILL_DATA_DIR to a folder whose path is shorter than {LONGEST_SOCKET_PATH - 11} bytes,"
            " or REDIS_URL to a server of your own.",
        )
    return environment


def _check_telling(environment: Environment) -> None:
    """Check what is told of the installation, and where."""
    if environment.log_format not in {"line", "json"}:
        raise ConfigurationError(
            f"REPOMILL_LOG_FORMAT must be line or json, not {environment.log_format!r}.", field="REPOMILL_LOG_FORMAT"
        )
    check_collector("REPOMILL_TRACES_TO", environment.traces_to)
    check_link("REPOMILL_WEB_URL", environment.web_url)
    check_link("REPOMILL_FLOWER_URL", environment.flower_url)


class _only:  # noqa: N801  (used as a context manager, reads as a word)
    """Lets environs, which reads `os.environ` alone, read the given variables instead."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = dict(variables)

    def __enter__(self) -> None:
        self.before = dict(os.environ)
        if self.variables != self.before:
            os.environ.clear()
            os.environ.update(self.variables)

    def __exit__(self, *_: object) -> None:
        if self.variables != self.before:
            os.environ.clear()
            os.environ.update(self.before)


@cache
def load() -> Environment:
    """Return the environment of this process; read once."""
    return read(os.environ)
