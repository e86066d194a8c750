"""A form for each destination of an export. What it takes is the API's to say: it is read by the API's serializers."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django import forms

from backend.apps.authentication.models import User
from backend.apps.credentials.selectors import visible_credentials
from backend.apps.exports.request_serializers import ARCHIVES, OPTIONS, VISIBILITIES
from backend.apps.exports.services.requesting import request_export
from backend.apps.projects.list_selectors import completed_generations
from backend.apps.projects.models import Project
from backend.console.field_errors import put_error, put_wrong
from backend.errors import RepomillError

MOST_GENERATIONS = 50
_ONCE = "Kept encrypted until this one export has ended. A credential can be used again."


class DeliveryForm(forms.Form):
    """What every export asks for: which generation. The subclasses say where it goes."""

    title: ClassVar[str]
    icon: ClassVar[str]
    generation = forms.ChoiceField(help_text="Only what was generated and committed can be exported.")
    names: ClassVar[dict[str, str]] = {"generated_project": "generation"}
    """What the form calls fields of the services otherwise."""

    def __init__(self, *args: Any, project: Project, user: User, **kwargs: Any) -> None:  # noqa: ANN401  (a form's)
        super().__init__(*args, **kwargs)
        self.project = project
        self.user = user
        asked = str((self.data if self.is_bound else self.initial).get("generation") or "")
        self.generations = completed_generations(project, most=MOST_GENERATIONS, named=asked)
        chosen = cast("forms.ChoiceField", self.fields["generation"])
        chosen.choices = [
            (str(each.pk), f"{'Newest' if not number else each.commit[:8]} · {each.total_files} files · {_day(each)}")
            for number, each in enumerate(self.generations)
        ]
        if asked and asked not in dict(chosen.choices):
            # A browser would pick the first one, in the place of one that cannot be exported.
            chosen.choices = [("", "Choose…"), *chosen.choices]

    @property
    def export_type(self) -> str:
        """What is asked for."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """Return what was filled in, as the API calls it."""
        return {}

    def ask(self) -> bool:
        """Ask for the export; return False where something is wrong, which the form then says."""
        if not self.is_valid():
            return False
        options = self.options()
        name = options.pop("repository_name", "")
        read = OPTIONS[self.export_type](data=options)
        if not read.is_valid():
            put_wrong(self, read.errors, self.names)
            return False
        try:
            request_export(
                user=self.user,
                generation_id=self.cleaned_data["generation"],
                project_id=self.project.pk,
                export_type=self.export_type,
                repository_name=name,
                options=dict(read.validated_data),
            )
        except RepomillError as error:
            put_error(self, error, self.names)
            return False
        return True


class ArchiveForm(DeliveryForm):
    """An archive, which is kept here and can be downloaded."""

    title, icon = "Archive", "archive"
    format = forms.ChoiceField(choices=ARCHIVES)

    @property
    def export_type(self) -> str:
        """The format."""
        return str(self.cleaned_data["format"])


class HostForm(DeliveryForm):
    """A repository somewhere else. host: the kind of host, whose credentials can be picked; None for all."""

    host: ClassVar[str]
    repository_name = forms.CharField(max_length=100, label="Repository")
    credential = forms.ChoiceField(required=False)
    branch = forms.CharField(max_length=200, required=False, initial="main")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  (a form's)
        super().__init__(*args, **kwargs)
        found = visible_credentials(user=self.user, project_ids=[self.project.pk])
        # Where two have one name it is the user's own that is meant.
        usable = sorted(
            (each for each in found if self.host in {each.host, "git"}), key=lambda each: each.owner_id == self.user.pk
        )
        named = {each.name: f"{each.name} · {each.base_url.partition('://')[2]}" for each in usable}
        self.fields["repository_name"].initial = self.project.slug if self.host != "git" else ""
        picked = cast("forms.ChoiceField", self.fields["credential"])
        picked.choices = [("", "Choose…" if named else "You have none for this host"), *sorted(named.items())]

    @property
    def export_type(self) -> str:
        """The kind of host."""
        return self.host

    def options(self) -> dict[str, Any]:
        """Return what was filled in; an empty field asks for nothing."""
        given = {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}
        given.pop("generation")
        if "topics" in given:
            given["topics"] = [word for word in given["topics"].replace(",", " ").split() if word]
        return given


class _Described(HostForm):
    description = forms.CharField(max_length=2000, required=False)
    topics = forms.CharField(max_length=2000, required=False, help_text="Words with blanks between them.")


class GitHubForm(_Described):
    """A repository on GitHub."""

    title, icon, host = "GitHub", "git-branch", "github"
    organization = forms.CharField(
        max_length=100, required=False, help_text="Without one it is the account of the credential."
    )
    private = forms.BooleanField(required=False, initial=True, help_text="Only whom you let see it sees it.")
    github_token = forms.CharField(
        required=False,
        strip=False,
        label="Or a token",
        help_text=_ONCE,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("generation", "repository_name", "organization", "credential", "github_token", "private", "branch")


class GitLabForm(_Described):
    """A project on GitLab."""

    title, icon, host = "GitLab", "git-branch", "gitlab"
    namespace = forms.CharField(
        max_length=255, required=False, help_text="The path of a group. Without one it is the credential's account."
    )
    visibility = forms.ChoiceField(choices=[(word, word.capitalize()) for word in VISIBILITIES], initial="private")
    gitlab_token = forms.CharField(
        required=False,
        strip=False,
        label="Or a token",
        help_text=_ONCE,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    names: ClassVar[dict[str, str]] = {**DeliveryForm.names, "project_name": "repository_name"}
    field_order = ("generation", "repository_name", "namespace", "credential", "gitlab_token", "visibility", "branch")


class GitForm(HostForm):
    """Any other git remote, which is there already."""

    title, icon, host = "Git", "git-commit-horizontal", "git"
    url = forms.CharField(
        max_length=1000, required=False, label="URL", help_text="A repository that is there, by https."
    )
    repository_name = forms.CharField(
        max_length=100,
        required=False,
        label="Or a repository on this machine",
        help_text="Its name below the folder of local repositories; it needs no credential.",
    )
    username = forms.CharField(max_length=100, required=False, help_text="What goes with the token.")
    token_once = forms.CharField(
        required=False,
        strip=False,
        label="Or a token",
        help_text=_ONCE,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    names: ClassVar[dict[str, str]] = {**DeliveryForm.names, "token": "token_once"}
    field_order = ("generation", "url", "repository_name", "credential", "token_once", "username")

    def options(self) -> dict[str, Any]:
        """Return what was filled in, the token by its own name."""
        given = super().options()
        return {("token" if name == "token_once" else name): value for name, value in given.items()}


DESTINATIONS: dict[str, type[DeliveryForm]] = {
    "archive": ArchiveForm,
    "github": GitHubForm,
    "gitlab": GitLabForm,
    "git": GitForm,
}


def _day(generation: Any) -> str:  # noqa: ANN401  (a GeneratedProject)
    when = generation.completed_at or generation.created_at
    return f"{when:%d %b %Y, %H:%M}"
