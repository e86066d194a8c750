from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0007_trace_parents'),
    ]

    operations = [
        migrations.AddField(
            model_name='taskexecution',
            name='grant',
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='workflowexecution',
            name='grant',
            field=models.JSONField(blank=True, null=True),
        ),
    ]
