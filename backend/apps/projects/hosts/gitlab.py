"""GitLab.com, and self-managed GitLab by its base URL: the calls that `hosted` needs, through python-gitlab.

The token travels as a bearer, which every kind of GitLab token allows and which no client carries to another host.
"""

from __future__ import annotations

import re
from typing import Any

from gitlab import Gitlab

from backend.apps.credentials.hosts import GITLAB
from backend.apps.credentials.secret import Secret
from backend.apps.projects.hosts.addresses import site
from backend.apps.projects.hosts.answers import Manners
from backend.apps.projects.hosts.api_session import ApiSession, trusted_certificates
from backend.apps.projects.hosts.conversation import conversing, number, text
from backend.apps.projects.hosts.hosted import Repository
from backend.apps.projects.hosts.wishes import Rules, Wish
from backend.errors import RemoteRefused

# Words that mean something else in the addresses of a project.
_RESERVED = (
    "badges|blame|blob|builds|commits|create|create_dir|edit|files|find_file|new|preview|raw|refs|tree|update|wikis"
)
_PATH = r"[a-z0-9](?:[._-]?[a-z0-9])*"
_GROUP = r"(?!\.{1,2}(?:/|\Z))[a-z0-9_.](?:[a-z0-9_.-]*[a-z0-9_-])?(?<!\.git)(?<!\.atom)"

RULES = Rules(
    host="GitLab",
    owner_field="namespace",
    name_field="project_name",
    name=re.compile(rf"(?=.{{1,100}}\Z)(?!(?:{_RESERVED})\Z)(?!.*\.(?:git|atom)\Z){_PATH}", re.ASCII | re.IGNORECASE),
    name_expected="1 to 100 of A-Z a-z 0-9, single . _ - between, not ending in .git or .atom, no reserved word",
    owner=re.compile(rf"(?=.{{1,255}}\Z){_GROUP}(?:/{_GROUP})*", re.ASCII | re.IGNORECASE),
    owner_expected="the full path of a group or user, such as team/platform/tools",
    topic=re.compile(r"[^\x00-\x1f,<>]{1,255}"),
    topic_expected="at most 255 characters, without commas",
    longest_description=2000,
    visibilities=("private", "internal", "public"),
)


class GitLabApi:
    """A `RepositoryApi`. base_url: of a self-managed GitLab, or None for gitlab.com. Raises InvalidInput."""

    name = GITLAB.name
    username = GITLAB.username

    def __init__(self, *, wish: Wish, token: Secret, base_url: str | None = None) -> None:
        self.site = site(host=self.name, base_url=base_url)
        self._wish = RULES.check(wish)
        self._manners = Manners(
            host=self.site.host, needs="the scope `api`", secrets=tuple(token.forms(username=self.username))
        )
        self._gitlab = Gitlab(
            self.site.url,
            oauth_token=token.reveal(),
            session=ApiSession(self.site.origin),
            ssl_verify=trusted_certificates(),
            retry_transient_errors=False,
            keep_base_url=True,
        )
        self._namespace: int | None = None

    def full_name(self) -> str:
        """Return the full path of the group, or the user name of the credential's own account, and name."""
        if self._wish.owner is None:
            with conversing(self._manners):
                data = self._gitlab.http_get("/user")
            return f"{text(data, 'username', manners=self._manners)}/{self._wish.name}"
        with conversing(self._manners):
            data = self._gitlab.namespaces.get(self._wish.owner).attributes
        self._namespace = int(number(data, "id", manners=self._manners))
        found = text(data, "full_path", manners=self._manners)
        if found.casefold() != self._wish.owner.casefold():
            raise RemoteRefused(
                f"{self.site.host} answers with another group where {self._wish.owner} was asked for.",
                hint="Give the group's full path.",
            )
        return f"{found}/{self._wish.name}"

    def find(self, full_name: str) -> Repository | None:
        """Return the project, or None."""
        try:
            with conversing(self._manners):
                return self._repository(self._gitlab.projects.get(full_name).attributes)
        except RemoteRefused as refusal:
            if refusal.place.get("status") == 404:
                return None
            raise

    def create(self, full_name: str, *, description: str) -> Repository:
        """Make the project, without a first commit."""
        name = full_name.rpartition("/")[2]
        wanted = {
            "name": name,
            "path": name,
            "description": description,
            "visibility": self._wish.visibility,
            "initialize_with_readme": False,
        }
        if self._namespace is not None:
            wanted["namespace_id"] = self._namespace
        with conversing(self._manners):
            return self._repository(self._gitlab.projects.create(wanted).attributes)

    def settle(self, repository: Repository, *, branch: str) -> Repository:
        """Set topics, description and default branch; GitLab takes them together."""
        wanted: dict[str, Any] = {"description": self._wish.description, "default_branch": branch}
        if self._wish.topics:
            wanted["topics"] = list(self._wish.topics)
        with conversing(self._manners):
            return self._repository(self._gitlab.projects.update(int(repository.identity), wanted))

    def _repository(self, data: Any) -> Repository:  # noqa: ANN401  (JSON)
        return Repository(
            identity=number(data, "id", manners=self._manners),
            full_name=text(data, "path_with_namespace", manners=self._manners),
            html_url=text(data, "web_url", manners=self._manners),
            clone_url=text(data, "http_url_to_repo", manners=self._manners),
            description=text(data, "description", manners=self._manners, optional=True),
            default_branch=text(data, "default_branch", manners=self._manners, optional=True),
            writable=data.get("archived") is not True,
        )
