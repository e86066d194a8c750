"""Generations may be based on earlier ones; archives are kept under keys relative to their storage."""

import django.db.models.deletion
from pathlib import PurePosixPath

from django.conf import settings
from django.db import migrations, models


def paths_to_keys(apps, schema_editor):
    """Turn absolute paths into keys: the generation's folder and the file's name, as they were always laid out."""
    archives = apps.get_model("projects", "Archive").objects.filter(path__startswith="/")
    for pk, path in archives.values_list("pk", "path").iterator():
        place = PurePosixPath(path)
        archives.filter(pk=pk).update(path=f"{place.parent.name}/{place.name}")


def keys_to_paths(apps, schema_editor):
    archives = apps.get_model("projects", "Archive").objects.exclude(path__startswith="/")
    for pk, key in archives.values_list("pk", "path").iterator():
        archives.filter(pk=pk).update(path=f"{settings.ARCHIVES_DIR}/{key}")


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="generatedproject",
            name="based_on",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="projects.generatedproject",
            ),
        ),
        migrations.AddField(
            model_name="generatedproject",
            name="workspace_seal",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.RunPython(paths_to_keys, keys_to_paths),
    ]
