"""Real Redis servers of the tests' own: with a password and TLS, and replicated, watched over by sentinels."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backend.cli.stack.preflight import choose_port
from backend.config.parent_death import die_with_parent
from tests.integration.debian import REDIS, library_path, unpacked

PASSWORD = "a pass/word: of @ll kinds"
SENTINEL_PASSWORD = "the sentinels' own"
MASTER = "repomill"
DOWN_AFTER = 1000
"""Milliseconds until the sentinels take a silent server for dead."""


class Certificates:
    """An authority of the tests' own, and a certificate of it for this machine's own address."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.certificate, self.key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        root = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
        server = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        self.authority.write_bytes(_pem(_sign(name, name, root, root, x509.BasicConstraints(True, None))))
        self.certificate.write_bytes(_pem(_sign(subject, name, server, root, here)))
        self.key.write_bytes(
            server.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def _sign(subject: x509.Name, issuer: x509.Name, key: Any, by: Any, extension: Any) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(by, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


class Server:
    """One server on 127.0.0.1, or with `sentinel` one sentinel; with certificates it speaks TLS alone."""

    def __init__(self, folder: Path, *, tls: Certificates | None, settings: str = "", sentinel: bool = False) -> None:
        self.port = choose_port(0, option="--port")
        self._folder = folder / str(self.port)
        self._folder.mkdir()
        self._tls = tls
        self._sentinel = sentinel
        lines = [f"dir {self._folder}", "bind 127.0.0.1", "daemonize no", settings]
        if tls is None:
            lines.append(f"port {self.port}")
        else:
            lines += ["port 0", f"tls-port {self.port}", "tls-auth-clients no", "tls-replication yes"]
            lines += [f"tls-ca-cert-file {tls.authority}"]
            lines += [f"tls-cert-file {tls.certificate}", f"tls-key-file {tls.key}"]
        if sentinel:
            lines.append(f'requirepass "{SENTINEL_PASSWORD}"')
        else:
            lines += ["appendonly yes", f'requirepass "{PASSWORD}"', f'masterauth "{PASSWORD}"']
        # A sentinel writes into its own.
        self._config = self._folder / "redis.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        programs = unpacked("redis", REDIS)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [programs / "usr/bin/redis-server", self._config, *(["--sentinel"] if self._sentinel else [])],
                env={"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": library_path(programs)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with_parent, parent=os.getpid()),
            )
        deadline = time.monotonic() + 10
        while True:
            try:
                self.client.ping()
            except redis.RedisError:
                if time.monotonic() > deadline:
                    raise AssertionError((self._folder / "log").read_text()[-2000:]) from None
                time.sleep(0.05)
            else:
                return

    @property
    def client(self) -> Any:
        """A client with the password."""
        tls: dict[str, Any] = {"ssl": True, "ssl_ca_certs": str(self._tls.authority)} if self._tls else {}
        password = SENTINEL_PASSWORD if self._sentinel else PASSWORD
        return redis.Redis(host="127.0.0.1", port=self.port, password=password, **tls)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def url(self) -> str:
        """What REDIS_URL says for it."""
        scheme, query = ("rediss", f"?ssl_ca_certs={self._tls.authority}") if self._tls else ("redis", "")
        return f"{scheme}://:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/0{query}"


class Replicated:
    """A master, a replica, and three sentinels that replace the one by the other; a context manager."""

    def __init__(self, folder: Path, *, tls: Certificates | None) -> None:
        self._tls = tls
        self.master = Server(folder, tls=tls)
        self.replica = Server(folder, tls=tls, settings=f"replicaof 127.0.0.1 {self.master.port}")
        watch = [
            f"sentinel monitor {MASTER} 127.0.0.1 {self.master.port} 2",
            f'sentinel auth-pass {MASTER} "{PASSWORD}"',
            f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER}",
            f"sentinel failover-timeout {MASTER} 5000",
            f'sentinel sentinel-pass "{SENTINEL_PASSWORD}"',
        ]
        self._sentinels = [Server(folder, tls=tls, settings="\n".join(watch), sentinel=True) for _ in range(3)]

    def __enter__(self) -> Self:
        for server in (self.master, self.replica, *self._sentinels):
            server.start()
        self._wait(lambda: self.replica.client.info("replication")["master_link_status"] == "up")
        # Each has to know the others before any of them may decide.
        self._wait(lambda: all(self._knows(sentinel) for sentinel in self._sentinels))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for server in (*self._sentinels, self.replica, self.master):
            server.kill()

    @property
    def url(self) -> str:
        """What REDIS_URL says for it."""
        places = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self._sentinels)
        tls = f"&ssl_ca_certs={self._tls.authority}" if self._tls else ""
        sentinels = f"master={MASTER}&sentinel_password={quote(SENTINEL_PASSWORD, safe='')}{tls}"
        return f"sentinel://:{quote(PASSWORD, safe='')}@{places}/0?{sentinels}"

    def promoted(self) -> bool:
        """Return whether the replica has become the master."""
        return bool(self.replica.client.info("replication")["role"] == "master")

    def _knows(self, sentinel: Server) -> bool:
        known = sentinel.client.sentinel_master(MASTER)
        return bool(known["num-other-sentinels"] == 2 and known["num-slaves"] == 1)

    def _wait(self, question: Any) -> None:
        deadline = time.monotonic() + 20
        while not question():
            assert time.monotonic() < deadline, "the replicated Redis did not come up"
            time.sleep(0.1)
