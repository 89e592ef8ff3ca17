"""Every setting, read from the environment (or `.env` beside manage.py) here and nowhere else.

What is not set has a default that works at home. What is set wrongly stops the start with a
sentence that names the setting. docs/settings.md documents each; a test holds it to that.
"""

import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from collector_site.database_url import databases
from collector_site.env_file import read_env_file
from collector_site.setting_types import (
    BASE_DIR,
    admission,
    boolean,
    channels,
    count,
    currency,
    days,
    details,
    folder,
    is_secret,
    minutes,
    not_negative,
    origins,
    rows,
    seconds,
    time_zone,
    words,
)
from powerlog.core.sampler import Rules

T = TypeVar("T")
DATA_DIR = BASE_DIR / "data"

if (BASE_DIR / ".env").is_file():
    read_env_file(BASE_DIR / ".env")
env = environ.Env()
# django-environ takes a value that begins with $ for the name of another variable, which breaks
# passwords and keys. Escaped here and unescaped by it, every value arrives as it was written.
env.ENVIRON = {name: value.replace("$", r"\$") for name, value in os.environ.items()}
env.escape_proxy = True


def read(name: str, default: str, convert: Callable[[str], T], expected: str) -> T:
    """The setting, converted; an empty value counts as not set. Raises ImproperlyConfigured."""
    text = env.str(name, default="").strip() or default
    try:
        return convert(text)
    except (ValueError, KeyError):
        raise ImproperlyConfigured(f"{name} is {text!r}, but must be {expected}.") from None


def secret(name: str) -> str:
    """A secret of this name, or "". Raises ImproperlyConfigured, without repeating it."""
    text = env.str(name, default="").strip()
    if text and not is_secret(text):
        raise ImproperlyConfigured(
            f"{name} must be 16 to 200 letters, digits, - and _: `python3 -c 'import secrets; "
            "print(secrets.token_urlsafe())'` makes one."
        )
    return text


def writable_data_dir() -> Path:
    """The folder `data/`, made if need be; asked for only where something is to be kept in it."""
    try:
        DATA_DIR.mkdir(mode=0o700, exist_ok=True)
        with suppress(OSError):  # it belongs to somebody else
            DATA_DIR.chmod(0o700)
        with tempfile.TemporaryFile(dir=DATA_DIR):
            return DATA_DIR
    except OSError as exc:
        raise ImproperlyConfigured(
            f"The folder {DATA_DIR} cannot be written ({exc.strerror}). Make it writable, "
            "or set both DATABASE_URL and SECRET_KEY, and it is not needed."
        ) from None


def kept_secret_key() -> str:
    """The key of `data/secret_key`, generated at the first start, readable by its owner only."""
    path = DATA_DIR / "secret_key"
    try:
        if not path.exists() or not path.stat().st_size:  # a power cut may leave an empty file
            path.unlink(missing_ok=True)
            _write_secret_key(path)
        return path.read_text(errors="replace")
    except OSError as exc:
        raise ImproperlyConfigured(
            f"SECRET_KEY is not set, and none can be kept in {path} ({exc.strerror})."
        ) from None


def _write_secret_key(path: Path) -> None:
    # Written aside and linked into place: of two processes starting at once, one key wins, and
    # neither reads half of it.
    with tempfile.NamedTemporaryFile("w", dir=writable_data_dir()) as file:  # mode 600
        file.write(secrets.token_urlsafe(50))
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)


DEBUG = read("DEBUG", "off", boolean, "on or off")
SECRET_KEY = env.str("SECRET_KEY", default="") or kept_secret_key()
ALLOWED_HOSTS = read("ALLOWED_HOSTS", "*", words, "host names with commas between them")
DATABASES = databases(
    env.str("DATABASE_URL", default="") or f"sqlite:///{writable_data_dir()}/collector.sqlite3"
)
# Checked where it is used: a later version may refuse what was good at the first start.
ADMIN_PASSWORD = env.str("ADMIN_PASSWORD", default="")
BEHIND_PROXY = read("BEHIND_PROXY", "off", boolean, "on or off")
WS_TOKEN = secret("WS_TOKEN")
ADMISSION = read("ADMISSION", "open", admission, "open or approve")
STATUS_DETAILS = read("STATUS_DETAILS", "local", details, "local, all or none")
METRICS_TOKEN = secret("METRICS_TOKEN")
HSTS_SECONDS = read("HSTS_SECONDS", "0", seconds, "a whole number of seconds")
WS_ALLOWED_ORIGINS = read(
    "WS_ALLOWED_ORIGINS", "", origins, "origins such as https://tools.example.org, commas between"
)
MAX_FRAMES_PER_S = read("MAX_FRAMES_PER_S", "200", count, "a whole number, 1 or more")
MAX_CONNECTIONS_PER_ADDRESS = read(
    "MAX_CONNECTIONS_PER_ADDRESS", "500", count, "a whole number, 1 or more"
)
TIME_ZONE = read("TIME_ZONE", "UTC", time_zone, "a name such as Europe/Berlin")
CURRENCY = read("CURRENCY", "EUR", currency, "a code or sign of up to 8 characters, such as EUR")
SAMPLING_RULES = Rules(
    channels=read(
        "CHANNELS",
        "0,1,2",
        channels,
        "switch numbers or component keys (switch:2) with commas between them, or *",
    ),
    power_threshold_w=read("POWER_THRESHOLD_W", "5", not_negative, "a number of watts, 0 or more"),
    max_blind_gap_min=read(
        "MAX_BLIND_GAP_MIN", "5", minutes, "a whole number of minutes, 0 to 9999"
    ),
    clock_tolerance_s=read(
        "CLOCK_TOLERANCE_S", "120", not_negative, "a number of seconds, 0 or more"
    ),
    time_zone=TIME_ZONE,
)
# Ten thousand devices with three busy channels fill the default in an hour: 0.7 GB.
SPOOL_DIR = read("SPOOL_DIR", str(DATA_DIR), folder, "the path of a folder")
SPOOL_MAX_ROWS = read("SPOOL_MAX_ROWS", "2000000", rows, "a whole number of rows, 1000 or more")
KEEP_DAYS = read("KEEP_DAYS", "off", days, "off, or a whole number of days, 1 to 36500")

# What follows is not to be set from outside.
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "powerlog",
]
MIDDLEWARE = [
    "powerlog.monitoring.views.status_first",
    "powerlog.monitoring.middleware.in_time",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "powerlog.admin.login_limits.guarded",
    "django.middleware.common.CommonMiddleware",
    "powerlog.monitoring.middleware.database_first",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # the last: its answer takes the place of all others
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # the first: who is locked out is not even tried
    "django.contrib.auth.backends.ModelBackend",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
ROOT_URLCONF = "collector_site.urls"
ASGI_APPLICATION = "collector_site.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
# What the pages themselves are written in. Of any other language Django would know a word here and
# there; its readers get plain English.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "powerlog" / "locale"]
# Behind TLS a login comes from https:// and would count as foreign.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
# And there all of the site is: a browser that has been told so once never sends a cookie in clear.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = BEHIND_PROXY
SECURE_HSTS_SECONDS = HSTS_SECONDS
SILENCED_SYSTEM_CHECKS = [
    # Whether the other hosts of a domain have TLS, and for ever, is not for the collector to say.
    "security.W005",
    "security.W021",
]
# Nothing inline, no eval, nothing foreign, on every page; in no frame of anybody's.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
# An address that fails ten times gets no login page for a quarter of an hour. By the address alone:
# by the name, anybody could lock anybody out. In the database, which all processes share.
AXES_LOCKOUT_PARAMETERS = ["ip_address"]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # nor does it grow while somebody goes on
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "powerlog.client_address.asking"
AXES_LOCKOUT_CALLABLE = "powerlog.admin.login_limits.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "password"]  # a password typed too early is a username
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
STATIC_URL = "static/"
# Static files come straight from the packages: nothing to collect, with DEBUG off as well.
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False  # no other site has to read them
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "no_outages": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", None) != 503,
        }
    },
    "formatters": {"line": {"format": "{asctime} {levelname} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "powerlog": {"level": "INFO"},
        # 404 and 400 are the business of whoever asked. 503 is a database that is away: the writer
        # says it once.
        "django.request": {"level": "ERROR", "filters": ["no_outages"]},
        # A warning every second for a page that is waited for by nobody any more.
        "daphne.server": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # A warning for every attempt to reconnect; the writer says it once.
        "psycopg.pool": {"level": "ERROR"},
    },
}
