"""GitHub, and GitHub Enterprise by its base URL: the calls that `hosted` needs, through PyGithub.

PyGithub signs, addresses and sends; its sleeping, its retries, its following of redirects and its objects that ask
again by themselves are not used: an answer is read as the JSON that it is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from time import sleep as real_sleep
from typing import Any

import requests
from github import Auth, Github
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester

from backend.apps.credentials.hosts import GITHUB, api_url
from backend.apps.credentials.secret import Secret
from backend.apps.projects.hosts.addresses import site
from backend.apps.projects.hosts.answers import Manners
from backend.apps.projects.hosts.api_session import ApiSession, origin_of
from backend.apps.projects.hosts.conversation import conversing, number, text
from backend.apps.projects.hosts.hosted import Repository
from backend.apps.projects.hosts.wishes import Rules, Wish
from backend.errors import RemoteRefused

SECONDS_BETWEEN_WRITES = 1.0
"""What GitHub asks of everybody; an Enterprise server of one's own has no such limit unless it is set up."""

RULES = Rules(
    host="GitHub",
    owner_field="organization",
    name_field="repository_name",
    name=re.compile(r"(?!\.{1,2}\Z)(?!-.)(?!.*\.(?:git|wiki)\Z)[a-z0-9._-]{1,100}", re.ASCII | re.IGNORECASE),
    name_expected="1 to 100 of A-Z a-z 0-9 . _ -, not beginning with - or ending in .git or .wiki",
    owner=re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9_])?", re.ASCII | re.IGNORECASE),
    owner_expected="the name of an organisation as in its address: A-Z a-z 0-9 and -",
    topic=re.compile(r"[a-z0-9][a-z0-9-]{0,49}", re.ASCII),
    topic_expected="at most 50 of a-z 0-9 -, beginning with a letter or a digit",
    longest_description=350,
    visibilities=("private", "public"),
)


class GitHubApi:
    """A `RepositoryApi`. base_url: of an Enterprise server, or None for github.com. Raises InvalidInput."""

    name = GITHUB.name
    username = GITHUB.username

    def __init__(
        self,
        *,
        wish: Wish,
        token: Secret,
        base_url: str | None = None,
        sleep: Callable[[float], None] = real_sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.site = site(host=self.name, base_url=base_url)
        self._wish = RULES.check(wish)
        self._manners = Manners(
            host=self.site.host,
            needs="the scope `repo` (classic), or read and write access to Administration and Contents (fine-grained)",
            secrets=tuple(token.forms(username=self.username)),
        )
        self._requester = Github(
            auth=Auth.Token(token.reveal()),
            base_url=api_url(host=self.name, base_url=self.site.url),
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
        ).requester
        self._pace = _Pace(
            SECONDS_BETWEEN_WRITES if self.site.url == GITHUB.base_url else 0.0, sleep=sleep, clock=clock
        )
        self._personal = self._wish.owner is None

    def full_name(self) -> str:
        """Return organisation, or the login of the credential's own account, and name."""
        if self._wish.owner is None:
            return f"{self._login()}/{self._wish.name}"
        try:
            organization = text(self._ask("GET", f"/orgs/{self._wish.owner}"), "login", manners=self._manners)
        except RemoteRefused as refusal:
            if refusal.place.get("status") != 404 or self._login().casefold() != self._wish.owner.casefold():
                raise
            # Somebody's own account is no organisation, and naming it is no mistake.
            self._personal, organization = True, self._wish.owner
        return f"{organization}/{self._wish.name}"

    def find(self, full_name: str) -> Repository | None:
        """Return the repository, or None."""
        try:
            return self._repository(self._ask("GET", f"/repos/{full_name}"))
        except RemoteRefused as refusal:
            if refusal.place.get("status") == 404:
                return None
            raise

    def create(self, full_name: str, *, description: str) -> Repository:
        """Make the repository, without a first commit."""
        owner, _, name = full_name.partition("/")
        wanted = {
            "name": name,
            "description": description,
            "private": self._wish.visibility == "private",
            "auto_init": False,
        }
        return self._repository(self._ask("POST", "/user/repos" if self._personal else f"/orgs/{owner}/repos", wanted))

    def settle(self, repository: Repository, *, branch: str) -> Repository:
        """Set topics, description and default branch."""
        path = f"/repos/{repository.full_name}"
        if self._wish.topics:
            self._ask("PUT", f"{path}/topics", {"names": list(self._wish.topics)})
        wanted = {"description": self._wish.description, "default_branch": branch}
        return self._repository(self._ask("PATCH", path, wanted))

    def _login(self) -> str:
        return text(self._ask("GET", "/user"), "login", manners=self._manners)

    def _ask(self, verb: str, path: str, wanted: dict[str, Any] | None = None) -> Any:  # noqa: ANN401  (JSON)
        if verb != "GET":
            self._pace.wait()
        with conversing(self._manners):
            return self._requester.requestJsonAndCheck(verb, path, input=wanted)[1]

    def _repository(self, data: Any) -> Repository:  # noqa: ANN401  (JSON)
        return Repository(
            identity=number(data, "id", manners=self._manners),
            full_name=text(data, "full_name", manners=self._manners),
            html_url=text(data, "html_url", manners=self._manners),
            clone_url=text(data, "clone_url", manners=self._manners),
            description=text(data, "description", manners=self._manners, optional=True),
            default_branch=text(data, "default_branch", manners=self._manners, optional=True),
            writable=data.get("archived") is not True,
        )


class _Pace:
    """Keeps the asked pause between two writes."""

    def __init__(self, seconds: float, *, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._sleep = sleep
        self._clock = clock
        self._next: float | None = None

    def wait(self) -> None:
        if self._next is not None and self._next > self._clock():
            self._sleep(self._next - self._clock())
        self._next = self._clock() + self._seconds


class _Connection(HTTPRequestsConnectionClass):
    """PyGithub's connection, with a session that can reach one origin only."""

    def __init__(self, host: str, port: int | None = None, **options: Any) -> None:  # noqa: ANN401  (PyGithub's)
        super().__init__(host, port, **options)
        self.session = _session("http", host, port)


class _SecureConnection(HTTPSRequestsConnectionClass):
    def __init__(self, host: str, port: int | None = None, **options: Any) -> None:  # noqa: ANN401  (PyGithub's)
        super().__init__(host, port, **options)
        self.session = _session("https", host, port)


def _session(scheme: str, host: str, port: int | None) -> requests.Session:
    return ApiSession(origin_of(f"{scheme}://{host}" + (f":{port}" if port else "")))


# PyGithub takes these for the whole process only. Nothing else here uses PyGithub, and nothing should do so without.
Requester.injectConnectionClasses(_Connection, _SecureConnection)
