"""One connection to the API in a user's name: sends a request, tries again what may pass, returns the answer's JSON.

Everything that leaves goes through `Connection.send`: to BACKEND_URL's origin alone, with the user's token, with no
header that a caller chose, without proxies or netrc from the environment, and within a deadline.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import tenacity

from backend.apps.agents.errors import APIError, InvalidEndpoint
from backend.apps.agents.services import answers, blips
from backend.apps.agents.services.answers import Json
from backend.apps.agents.services.user_token import UserToken
from backend.apps.credentials.secret import Secret
from backend.errors import InvalidInput, RemoteUnreachable
from backend.failpoints import Failpoint, reached
from backend.telemetry import tracing

DEADLINE_SECONDS = 60.0
"""Seconds that one call may take with all its tries."""
TIMEOUT = httpx.Timeout(30.0, connect=5.0)


@dataclass(frozen=True)
class Outgoing:
    """A request that has been checked; `target` is path and query, `repeatable` that doing it twice is harmless."""

    method: str
    target: str
    body: bytes | None = None
    key: str | None = None
    etag: str | None = None
    repeatable: bool = True


@dataclass(frozen=True)
class Incoming:
    """A successful answer; `value` is None for a 304."""

    value: Json
    etag: str | None


class Connection:
    """Sends requests to one origin for one user. `sleep` waits between tries."""

    def __init__(
        self,
        *,
        origin: str,
        token: UserToken,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._origin = httpx.URL(origin)
        self._token = token
        self._sleep = sleep
        self.client = httpx.AsyncClient(
            transport=transport,
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "repomill"},
        )

    async def send(self, outgoing: Outgoing) -> Incoming:
        """Send a request and return its answer.

        Raises APIError for answers that are no success, RateLimited for long waits, RemoteUnreachable when no answer
        came in time, InDoubt when the answer to a request that may not be repeated was lost, and PermissionRefused when
        the user may no longer act.
        """
        url = self._url(outgoing.target)
        tries = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(blips.Blip),
            stop=tenacity.stop_after_attempt(blips.MOST_TRIES),
            wait=blips.wait_as_asked(),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                incoming: Incoming = await tries(self._once, outgoing, url)
        except blips.Blip as blip:
            raise blip.error from blip.__cause__
        except TimeoutError as error:
            what = f"no answer within {DEADLINE_SECONDS:.0f} s"
            if not outgoing.repeatable:
                raise blips.in_doubt(what) from error
            raise RemoteUnreachable(f"The API gave {what}.", hint="Try again later.") from error
        reached(Failpoint.CALLED)
        return incoming

    async def close(self) -> None:
        """Close the connections to the server."""
        await self.client.aclose()

    async def _once(self, outgoing: Outgoing, url: httpx.URL) -> Incoming:
        token = await self._token.value()
        status, headers, body = await self._exchange(outgoing, url=url, token=token)
        if status == 401:
            # Expired on the way, or revoked by a new password: one fresh token, and then the answer counts.
            token = await self._token.renew(refused=token)
            status, headers, body = await self._exchange(outgoing, url=url, token=token)
        # A server that repeats the request's headers must not put the token into a result or an error.
        body = body.replace(token.encode(), b"[token]")
        if status == 304:
            return Incoming(value=None, etag=outgoing.etag)
        if 300 <= status < 400:
            raise answers.redirect(status=status)
        if status >= 400:
            error = answers.refusal(body, status=status, headers=headers)
            raise blips.from_refusal(error, code=answers.problem_code(body), repeatable=outgoing.repeatable)
        return Incoming(value=answers.decode(body, status=status), etag=headers.get("etag"))

    async def _exchange(self, outgoing: Outgoing, *, url: httpx.URL, token: str) -> tuple[int, httpx.Headers, bytes]:
        with tracing.span(f"call {outgoing.method}", kind="client", method=outgoing.method) as span:
            status, headers, body = await self._sent(outgoing, url=url, token=token)
            span.note(status=status)
        return status, headers, body

    async def _sent(self, outgoing: Outgoing, *, url: httpx.URL, token: str) -> tuple[int, httpx.Headers, bytes]:
        headers = {"Authorization": f"Bearer {token}", **tracing.headers()}
        if outgoing.body is not None:
            headers["Content-Type"] = "application/json"
        if outgoing.key:
            headers["Idempotency-Key"] = outgoing.key
        if outgoing.etag:
            headers["If-None-Match"] = outgoing.etag
        try:
            async with self.client.stream(outgoing.method, url, content=outgoing.body, headers=headers) as response:
                return response.status_code, response.headers, await answers.read_body(response)
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise APIError(f"The request cannot be sent ({error}).") from error
        except httpx.TransportError as error:
            raise blips.from_transport(error, repeatable=outgoing.repeatable) from error

    def _url(self, target: str) -> httpx.URL:
        url = httpx.URL(f"{self._origin}".rstrip("/") + target)
        # What `endpoints.resolve` let through is compared once more with what the client made of it.
        same_origin = (url.scheme, url.host, url.port) == (self._origin.scheme, self._origin.host, self._origin.port)
        if not same_origin or url.raw_path.decode("ascii") != target:
            raise InvalidEndpoint(f"The endpoint {target[:200]!r} does not stay as it is in a URL.", field="endpoint")
        return url


def as_body(data: Json) -> bytes | None:
    """Return data as the bytes of a JSON body, the same for equal data; None for None. Raises InvalidInput.

    A `Secret` in it is written out: this is the one place that sends it.
    """
    if data is None:
        return None
    try:
        return json.dumps(
            data, default=_revealed, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"The data of the API call is not JSON: {error}.",
            field="data",
            hint="Use objects, arrays, strings, finite numbers, true, false and null only.",
        ) from error


def _revealed(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
