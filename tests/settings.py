"""The project's settings, undisturbed by what a developer has in the environment or in .env."""

import os
import tempfile

os.environ |= dict.fromkeys(
    (
        "ADMIN_PASSWORD",
        "ADMISSION",
        "ALLOWED_HOSTS",
        "BEHIND_PROXY",
        "CHANNELS",
        "CLOCK_TOLERANCE_S",
        "CURRENCY",
        "DEBUG",
        "KEEP_DAYS",
        "HSTS_SECONDS",
        "MAX_BLIND_GAP_MIN",
        "MAX_CONNECTIONS_PER_ADDRESS",
        "MAX_FRAMES_PER_S",
        "METRICS_TOKEN",
        "POWER_THRESHOLD_W",
        "SPOOL_MAX_ROWS",
        "STATUS_DETAILS",
        "TIME_ZONE",
        "WS_ALLOWED_ORIGINS",
        "WS_TOKEN",
    ),
    "",
)
os.environ["SECRET_KEY"] = "only-for-the-tests"
os.environ["SPOOL_DIR"] = tempfile.mkdtemp(prefix="collector-tests-spool-")
os.environ["DATABASE_URL"] = f"sqlite:///{tempfile.gettempdir()}/never-used.sqlite3"

from collector_site.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick logins
# Otherwise each of a test's browsers has a list made of all static files before its first page.
WHITENOISE_AUTOREFRESH = True
