"""Projects, what people plan in them, and what is generated for them.

Names, fields and status values are those that HishamOS knows.
"""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models


class Timestamped(models.Model):
    """A row with an id that cannot be guessed, and with the times of its making and last change."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Organisation(Timestamped):
    """A group of projects with limits of its own: how many of them generate at once, and what they may store.

    Its admins may do in its projects what their owners may. Without one a project has no such limits.
    """

    class Plan(models.TextChoices):
        """What the organisation has a right to; `services.organisation_limits` says how much that is."""

        FREE = "free"
        TEAM = "team"
        ENTERPRISE = "enterprise"

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=100, unique=True)
    plan = models.CharField(max_length=20, choices=Plan.choices, default=Plan.FREE)
    is_active = models.BooleanField(default=True)
    """An inactive one begins no new work; what it has can be read."""

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.slug


class OrganisationMembership(models.Model):
    """A user's place in an organisation. Members put projects into it; admins manage it and all its projects."""

    class Role(models.TextChoices):
        """What somebody is in it."""

        MEMBER = "member"
        ADMIN = "admin"

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.MEMBER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "user"], name="one_place_each")]


class Project(Timestamped):
    """What work is done on: its owner, members, stories and sprints, and its workspace."""

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=100, unique=True)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_projects")
    members: models.ManyToManyField = models.ManyToManyField(  # type: ignore[type-arg]
        settings.AUTH_USER_MODEL, through="ProjectMembership", related_name="projects"
    )
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, null=True, blank=True, related_name="projects"
    )

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.slug


class ProjectMembership(models.Model):
    """A user's place in a project. Viewers read; authors and above write."""

    class Role(models.TextChoices):
        """From the one who may only read to the one who may do everything."""

        VIEWER = "viewer"
        AUTHOR = "author"
        MAINTAINER = "maintainer"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.AUTHOR)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_membership_each")]


class ProjectLabel(models.Model):
    """A word that projects are grouped by: `nightly`, `customer-acme`. A project has any number of them."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=50)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["name", "project"], name="one_label_each")]

    def __str__(self) -> str:
        return self.name


class Sprint(Timestamped):
    """A stretch of time in which stories are done."""

    class Status(models.TextChoices):
        """Where the sprint stands."""

        PLANNED = "planned"
        ACTIVE = "active"
        COMPLETED = "completed"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sprints")
    name = models.CharField(max_length=200)
    goal = models.TextField(blank=True)
    start_date = models.DateField()
    end_date = models.DateField()
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PLANNED)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["start_date", "id"]


class Story(Timestamped):
    """A piece of work that a user of the project wants done."""

    class Status(models.TextChoices):
        """Where the story stands."""

        BACKLOG = "backlog"
        TODO = "todo"
        IN_PROGRESS = "in_progress"
        REVIEW = "review"
        DONE = "done"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="stories")
    sprint = models.ForeignKey(Sprint, on_delete=models.SET_NULL, null=True, blank=True, related_name="stories")
    title = models.CharField(max_length=300)
    description = models.TextField(blank=True)
    acceptance_criteria = models.TextField(blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.BACKLOG)
    priority = models.CharField(max_length=20, blank=True)
    story_points = models.PositiveSmallIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-created_at", "id"]
        verbose_name_plural = "stories"


class GeneratedProject(Timestamped):
    """One generation of a project: a commit, the workspace that holds it, its counts and status.

    The commit is the truth; the workspace is its copy on the disk, and made again from it where need be.

    pending ──> generating ──> completed ──> archived
                    │              └──> generating (a later step adds files)
                    └──> failed ──> generating (a resumed execution)
    """

    class Status(models.TextChoices):
        """Where the generation stands."""

        PENDING = "pending"
        GENERATING = "generating"
        COMPLETED = "completed"
        FAILED = "failed"
        ARCHIVED = "archived"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="generated_projects")
    workflow_execution = models.ForeignKey(
        "workflows.WorkflowExecution",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="generated_projects",
    )
    output_directory = models.CharField(max_length=1000, blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    error_message = models.TextField(blank=True)
    total_files = models.PositiveIntegerField(default=0)
    total_size = models.PositiveBigIntegerField(default=0)
    based_on = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    """The earlier generation whose files this one began with."""
    parent_commit = models.CharField(max_length=64, blank=True)
    """The project's newest commit when this generation was opened; what it changed is told against this one."""
    commit = models.CharField(max_length=64, blank=True)
    content_digest = models.CharField(max_length=64, blank=True)
    empty_directories = models.JSONField(default=list, blank=True)
    """Paths of the directories without anything in them, which a git commit cannot hold."""
    workspace_seal = models.CharField(max_length=100, blank=True)
    """Where and when the workspace was last written: what has not changed since is what was recorded."""
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "workflow_execution"], name="one_generation_per_execution")
        ]


class StoredPack(models.Model):
    """What the storage `packs` holds of a project's git store: one commit, with all that came before it elsewhere.

    Written once the pack is there. Its key is the project's id and the digest.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="packs")
    commit = models.CharField(max_length=64)
    follows = models.JSONField(default=list, blank=True)
    """Commits whose own packs hold what this one leaves out."""
    depth = models.PositiveIntegerField(default=0)
    """How many packs, one after the other, have to be fetched before it."""
    size = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64)
    """The SHA-256 of the pack."""
    made_on = models.CharField(max_length=255)
    """The host that made it, whose own git store has it too."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "commit"], name="one_pack_per_commit")]


class ProjectFile(models.Model):
    """One file of a generation."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    generated_project = models.ForeignKey(GeneratedProject, on_delete=models.CASCADE, related_name="files")
    file_path = models.CharField(max_length=4096)
    file_name = models.CharField(max_length=255)
    file_type = models.CharField(max_length=50, default="unknown")
    file_size = models.PositiveBigIntegerField(default=0)
    executable = models.BooleanField(default=False)
    content_hash = models.CharField(max_length=64)
    content_preview = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["file_path"]
        constraints = [models.UniqueConstraint(fields=["generated_project", "file_path"], name="one_file_per_path")]


class Archive(Timestamped):
    """A packaged generation: its key in the archives' storage, how large it is in bytes, and its SHA-256."""

    class Format(models.TextChoices):
        """The formats that `package_project` makes."""

        ZIP = "zip"
        TAR = "tar"
        TAR_GZ = "tar.gz"

    generated_project = models.ForeignKey(GeneratedProject, on_delete=models.CASCADE, related_name="archives")
    format = models.CharField(max_length=10, choices=Format.choices)
    path = models.CharField(max_length=1000)
    size = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64)
    commit = models.CharField(max_length=64)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["generated_project", "format", "commit"], name="one_archive_per_format")
        ]
