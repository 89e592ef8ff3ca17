"""The group `viewer`: staff who may look at everything here and change nothing."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

SEEN = ("powerlog", "run", "daytotal", "device", "channel")


def make_viewers(apps, schema_editor):
    # Permissions are made after all migrations, as a rule; the group needs its own now.
    using = schema_editor.connection.alias
    app = apps.get_app_config("powerlog")
    models_module = getattr(app, "models_module", None)
    app.models_module = models_module or True  # what it goes by, and no app of the past has
    create_permissions(app, verbosity=0, using=using, apps=apps)
    app.models_module = models_module
    group, _ = apps.get_model("auth", "Group").objects.using(using).get_or_create(name="viewer")
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    group.permissions.add(
        *permissions.filter(
            content_type__app_label="powerlog", codename__in=[f"view_{model}" for model in SEEN]
        )
    )


def remove_viewers(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name="viewer").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("powerlog", "0003_devices_and_totals"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_viewers, remove_viewers, elidable=False)]
