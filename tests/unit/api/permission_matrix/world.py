"""The world that every row of the permission matrix is asked in: a project, and one of each who may ask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.authentication.services.service_tokens import add_token
from backend.apps.projects.models import Project, ProjectMembership, Sprint, Story

PASSWORD = "correct horse battery"
ROLES = ("viewer", "author", "maintainer")
SCOPES = ("read", "write", "run", "manage")


@dataclass
class World:
    """A project with a member of each role. What a row needs beside it is made when it is asked for."""

    people: dict[str, User]
    project: Project
    tokens: dict[str, str]

    @classmethod
    def make(cls) -> World:
        """Make the people, the project and the owner's tokens."""
        names = ("stranger", *ROLES, "owner", "operator", "guest")
        people = {name: User.objects.create_user(name, password=PASSWORD) for name in names}
        people["operator"].is_superuser = True
        people["operator"].save()
        project = Project.objects.create(name="Mill", slug="mill", owner=people["owner"])
        for role in ROLES:
            ProjectMembership.objects.create(project=project, user=people[role], role=role)
        ProjectMembership.objects.create(project=project, user=people["guest"], role="viewer")
        tokens = {
            f"token_{scope}": add_token(user=people["owner"], name=scope, scopes=[scope]).value for scope in SCOPES
        }
        return cls(people=people, project=project, tokens=tokens)

    @property
    def owner(self) -> User:
        """The project's owner."""
        return self.people["owner"]

    @cached_property
    def sprint(self) -> Sprint:
        """A sprint of the project."""
        return Sprint.objects.create(
            project=self.project, name="S", start_date="2026-01-01", end_date="2026-01-14", created_by=self.owner
        )

    @cached_property
    def story(self) -> Story:
        """A story of the project."""
        return Story.objects.create(project=self.project, title="T", created_by=self.owner)

    def client(self, who: str) -> APIClient:
        """Return a client of somebody: a person, a token of the owner's, or nobody."""
        client = APIClient(raise_request_exception=False)
        if who in self.tokens:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {self.tokens[who]}")
        elif who in self.people:
            # As the database knows them, with nothing cached of an earlier row.
            client.force_authenticate(User.objects.get(pk=self.people[who].pk))
        return client
