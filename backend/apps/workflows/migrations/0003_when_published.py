from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0002_events_count_themselves'),
    ]

    operations = [
        migrations.AddField(
            model_name='taskexecution',
            name='published_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
