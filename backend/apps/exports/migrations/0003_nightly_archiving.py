"""The schedule that comes with the product: old generations are archived every night."""

from django.db import migrations

NAME = "archive-old-generations"


def add(apps, schema_editor):
    schedules = apps.get_model("exports", "ExportSchedule").objects
    schedules.get_or_create(
        name=NAME, defaults={"work": "archive_generations", "cron": "30 3 * * *", "keep_days": 30, "catch_up": "one"}
    )


def remove(apps, schema_editor):
    apps.get_model("exports", "ExportSchedule").objects.filter(name=NAME, work="archive_generations").delete()


class Migration(migrations.Migration):

    dependencies = [
        ("exports", "0002_bulk_exports"),
    ]

    operations = [migrations.RunPython(add, remove)]
