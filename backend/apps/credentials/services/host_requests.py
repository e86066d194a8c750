"""Asks a host's API one question with a secret: to that host alone, and only if its address is one that may be asked.

The name is resolved once and the connection goes to what was resolved and checked. No redirect is followed, no proxy or
netrc of the environment used, and size and time are bounded. What the answer means is told by `host_answers`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Collection, Generator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from backend.apps.credentials.secret import Secret
from backend.errors import ConfigurationError, InvalidInput, RemoteRefused, RemoteUnreachable, RepomillError
from backend.origins import WebAddress, is_public, objection, read_web_address
from backend.strict_json import NotJSON, read_json

DEADLINE_SECONDS: Final = 20.0
"""Seconds for one question, from the name's resolution to the answer's last byte."""
LARGEST_ANSWER: Final = 1024 * 1024
"""Bytes of an answer that are read at most."""
MOST_ADDRESSES: Final = 4
_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "repomill"}
# The variables by which a machine names its own certificate authorities; git and the clients of hosts honour them too.
_AUTHORITIES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back. `data` is the body's JSON, {} where it is none; header names are in lower case.

    Only the status is shown: the rest is the other side's words, and may be the secret itself.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    data: Any = field(repr=False)


class Questions:
    """Questions to one host with one secret."""

    def __init__(self, *, secret: Secret, internal_hosts: Collection[str]) -> None:
        self._secret = secret
        self._internal_hosts = internal_hosts

    async def get(self, url: str) -> Answer:
        """Send a GET and return its answer, whatever its status.

        Raises InvalidInput for an address that may not be asked, RemoteUnreachable where no answer came in time,
        RemoteRefused for an answer that is too large or compressed, and for a certificate that is not trusted.
        """
        address = read_web_address(url)
        why = "This is not an address." if address is None else objection(address, internal_hosts=self._internal_hosts)
        if address is None or why:
            raise InvalidInput(why, field="base_url")
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await self._first_answer(address)
        except TimeoutError:
            failure = RemoteUnreachable(f"{address.host} did not answer within {DEADLINE_SECONDS:.0f} s.", hint=_LATER)
        raise failure

    async def _first_answer(self, address: WebAddress) -> Answer:
        failure: RepomillError = RemoteUnreachable(f"{address.host} has no address.", hint=_LATER)
        for ip in (await self._resolved(address))[:MOST_ADDRESSES]:
            try:
                return await self._ask(address, ip)
            except httpx.TransportError as error:
                failure = _failure(error, address.host)
                again = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            if not again:
                break
        # Outside of the handler: the error of the library, which knows the request, is not carried along.
        raise failure

    async def _resolved(self, address: WebAddress) -> list[str]:
        host = address.host.strip("[]")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, address.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        ips = list(dict.fromkeys(str(row[4][0]) for row in found))
        if not ips:
            raise RemoteUnreachable(
                f"The name {address.host} cannot be resolved.", hint="Check the credential's address."
            )
        if address.host not in self._internal_hosts and not all(map(is_public, ips)):
            raise InvalidInput(
                f"The name {address.host} leads into a network that is not public, which the operator has not allowed.",
                field="base_url",
                hint="Name the host in REPOMILL_GIT_INTERNAL_HOSTS if it is yours.",
            )
        return ips

    async def _ask(self, address: WebAddress, ip: str) -> Answer:
        async with self._opened(address, ip) as response:
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise RemoteRefused(f"The answer of {address.host} is compressed although that was not asked for.")
            answer = await _read(response)
        if answer is None:
            raise RemoteRefused(
                f"The answer of {address.host} is larger than {LARGEST_ANSWER // 1024} KiB.",
                hint="Check that the credential's address is that of the host itself.",
            )
        return answer

    @asynccontextmanager
    async def _opened(self, address: WebAddress, ip: str) -> AsyncIterator[httpx.Response]:
        url = httpx.URL(scheme=address.scheme, host=ip, port=address.port, raw_path=address.path.encode())
        verify = trusted_authorities() if address.scheme == "https" else False
        async with (
            httpx.AsyncClient(verify=verify, timeout=_TIMEOUT, follow_redirects=False, trust_env=False) as client,
            client.stream(
                "GET",
                url,
                headers={**_HEADERS, "Host": address.origin.partition("://")[2]},
                auth=_Bearer(self._secret),
                # The certificate must be the name's, though the connection goes to the address.
                extensions={"sni_hostname": address.host.strip("[]")},
            ) as response,
        ):
            yield response


class _Bearer(httpx.Auth):
    """Puts the secret into the request at the last moment, so that it is in no variable on the way."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        yield request


def trusted_authorities(variables: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Return what certificates are checked against: the public authorities, the machine's, and those it names."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    for name in _AUTHORITIES:
        if file := variables.get(name):
            try:
                context.load_verify_locations(file)
            except OSError as error:
                raise ConfigurationError(f"{name} names {file}, which holds no certificates.", field=name) from error
    return context


_LATER: Final = "Check the credential's address and the network, or try again later."


def _failure(error: httpx.TransportError, host: str) -> RepomillError:
    """Return the error for a request without an answer; never in the library's words, which may hold the server's."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return RemoteRefused(
            f"The certificate of {host} is not trusted here.",
            hint="For an authority of your own, set SSL_CERT_FILE to the file of its certificate.",
        )
    if isinstance(error, httpx.TimeoutException):
        return RemoteUnreachable(f"{host} did not answer in time.", hint=_LATER)
    if isinstance(error, httpx.ConnectError):
        return RemoteUnreachable(f"{host} cannot be reached.", hint=_LATER)
    return RemoteUnreachable(f"{host} ended the connection, or does not speak HTTP.", hint=_LATER)


async def _read(response: httpx.Response) -> Answer | None:
    """Return the whole answer, or None where it is too large. It raises nothing itself: what it holds is not ours."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            return None
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=headers, data=_json(bytes(body)))


def _json(body: bytes) -> Any:  # noqa: ANN401
    try:
        return read_json(body, deepest=20)
    except NotJSON:
        return {}
