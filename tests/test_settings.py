"""Settings: every one has a default, a wrong one stops the start and is named."""

import os
import re
import runpy
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from collector_site import settings
from powerlog.core.sampler import Rules

ROOT = Path(__file__).parent.parent
NAMES = re.findall(
    r'(?:read|secret|env\.str)\(\s*"([A-Z_]+)"', (ROOT / "collector_site/settings.py").read_text()
)


def start(show: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Load the settings in a process of its own with these variables, and print an expression."""
    code = f"import manage; from django.conf import settings; print({show})"
    environment = os.environ | dict.fromkeys(NAMES, "") | variables
    environment["DJANGO_SETTINGS_MODULE"] = "collector_site.settings"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_the_settings_are_all_found() -> None:
    assert set(NAMES) == {
        "DATABASE_URL",
        "SECRET_KEY",
        "ADMIN_PASSWORD",
        "DEBUG",
        "ALLOWED_HOSTS",
        "TIME_ZONE",
        "CURRENCY",
        "CHANNELS",
        "POWER_THRESHOLD_W",
        "MAX_BLIND_GAP_MIN",
        "CLOCK_TOLERANCE_S",
        "SPOOL_DIR",
        "SPOOL_MAX_ROWS",
        "KEEP_DAYS",
        "BEHIND_PROXY",
        "HSTS_SECONDS",
        "WS_TOKEN",
        "ADMISSION",
        "STATUS_DETAILS",
        "METRICS_TOKEN",
        "WS_ALLOWED_ORIGINS",
        "MAX_FRAMES_PER_S",
        "MAX_CONNECTIONS_PER_ADDRESS",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_on_its_page_and_in_the_example(name: str) -> None:
    assert f"| `{name}` | " in (ROOT / "docs/settings.md").read_text()
    assert f"{name}=" in (ROOT / ".env.example").read_text()


def test_the_defaults_are_those_of_the_design() -> None:
    result = start("[settings.SAMPLING_RULES, settings.DEBUG, settings.TIME_ZONE]", SECRET_KEY="x")
    channels = frozenset({"switch:0", "switch:1", "switch:2"})
    assert eval(result.stdout, {"Rules": Rules}) == [Rules(channels, 5.0, 5, 120.0), False, "UTC"]


def test_what_is_set_is_taken() -> None:
    result = start(
        "[settings.SAMPLING_RULES, settings.DEBUG, settings.TIME_ZONE, settings.ALLOWED_HOSTS]",
        SECRET_KEY="x",
        CHANNELS="2, cover:0,em:0:a ",
        POWER_THRESHOLD_W="7.5",
        MAX_BLIND_GAP_MIN="0",
        CLOCK_TOLERANCE_S="30",
        DEBUG="True",
        TIME_ZONE="Asia/Kolkata",
        ALLOWED_HOSTS="a.example, b.example",
    )
    rules = Rules(frozenset({"switch:2", "cover:0", "em:0:a"}), 7.5, 0, 30.0, "Asia/Kolkata")
    hosts = ["a.example", "b.example"]
    assert eval(result.stdout, {"Rules": Rules}) == [rules, True, "Asia/Kolkata", hosts]


@pytest.mark.parametrize("key", ["$ecret", "a$b", r"back\$lash", "plain"])
def test_a_dollar_in_a_value_is_a_dollar(key: str) -> None:
    shown = start(
        "settings.SECRET_KEY, settings.ADMIN_PASSWORD", SECRET_KEY=key, ADMIN_PASSWORD=key
    )
    assert shown.stdout == f"{key} {key}\n"


def test_a_wrong_value_stops_the_start_in_one_line() -> None:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "collector_site.settings", "DEBUG": "x"}
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr == "error: DEBUG is 'x', but must be on or off.\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "flase"),
        ("TIME_ZONE", "Berlin"),
        ("TIME_ZONE", "../etc/passwd"),
        ("CHANNELS", "pump"),
        ("CHANNELS", "switch:"),
        ("CHANNELS", "-1"),
        ("CHANNELS", ","),
        ("CHANNELS", "acomponenttoolong:1"),
        ("CHANNELS", "em:0:d"),
        ("CHANNELS", "**"),
        ("CHANNELS", "voltmeter:100"),
        ("CHANNELS", "switch:02"),
        ("CHANNELS", "\u0663"),
        ("POWER_THRESHOLD_W", "five"),
        ("POWER_THRESHOLD_W", "-1"),
        ("POWER_THRESHOLD_W", "nan"),
        ("MAX_BLIND_GAP_MIN", "2.5"),
        ("MAX_BLIND_GAP_MIN", "-5"),
        ("CLOCK_TOLERANCE_S", "inf"),
        ("KEEP_DAYS", "0"),
        ("KEEP_DAYS", "-1"),
        ("KEEP_DAYS", "a year"),
        ("HSTS_SECONDS", "a year"),
        ("WS_ALLOWED_ORIGINS", "tools.example.org"),
        ("WS_ALLOWED_ORIGINS", "https://tools.example.org/page"),
        ("WS_ALLOWED_ORIGINS", "*"),
        ("STATUS_DETAILS", "staff"),
        ("ADMISSION", "closed"),
        ("MAX_FRAMES_PER_S", "0"),
        ("MAX_CONNECTIONS_PER_ADDRESS", "-1"),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured) as caught:
        runpy.run_path(settings.__file__)
    assert str(caught.value).startswith(f"{name} is {value!r}, but must be ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://u:geheim@h/d",
        "postgresql://u:ge/heim@h:5432/d",
        "postgresql://u:geheim@h:port/d",
        "postgresql://u:geheim@h/",
        "postgresql://u:geheim@h/d?pool=true",
        "postgresql://u:geheim@h/d?conn_max_age=60",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
    ],
)
def test_a_wrong_database_url_is_named_and_its_password_is_not(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as caught:
        settings.databases(url)
    assert "geheim" not in str(caught.value)
    assert "heim" not in str(caught.value)


def test_postgresql_has_a_pool_for_the_web_side_and_a_connection_for_the_writer() -> None:
    made = settings.databases("postgres://me:p%23w@db.example:5433/power?sslmode=require")
    default, writer = made["default"], made["writer"]
    assert default["OPTIONS"]["pool"]["min_size"] == 1
    assert default["OPTIONS"]["pool"]["max_size"] == 10
    assert default["CONN_HEALTH_CHECKS"], "a pooled connection does not outlive a restart"
    assert "pool" not in writer["OPTIONS"]
    for config in (default, writer):
        assert (config["HOST"], config["PORT"], config["NAME"]) == ("db.example", 5433, "power")
        assert (config["USER"], config["PASSWORD"]) == ("me", "p#w")
        assert config["OPTIONS"]["sslmode"] == "require"


def test_sqlite_is_in_wal_mode_at_the_path_given() -> None:
    made = settings.databases("sqlite:////var/lib/collector/rows.sqlite3")
    assert made["default"]["NAME"] == "/var/lib/collector/rows.sqlite3"
    assert "journal_mode=WAL" in made["default"]["OPTIONS"]["init_command"]
    assert settings.databases("sqlite:///x.sqlite3")["default"]["NAME"] == str(ROOT / "x.sqlite3")


@pytest.mark.parametrize("value", ["too short", "geheim", "geheim-but with a space", "geheim/" * 9])
def test_a_secret_that_is_none_is_named_and_not_repeated(value: str) -> None:
    result = start("settings.DEBUG", SECRET_KEY="x", METRICS_TOKEN=value)
    assert result.returncode == 1
    assert "METRICS_TOKEN must be 16 to 200 letters" in result.stderr
    assert value not in result.stderr


PRODUCTION = {
    "SECRET_KEY": "as long as a key has to be, of many different letters: 0123456789",
    "ALLOWED_HOSTS": "collector.example.org",
    "BEHIND_PROXY": "on",
    "HSTS_SECONDS": "31536000",
    "DATABASE_URL": "sqlite:////nowhere/collector.sqlite3",
}


def test_the_settings_of_production_pass_djangos_own_check() -> None:
    page = (ROOT / "docs/production.md").read_text()
    assert all(f"{name}=" in page for name in PRODUCTION)
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "INFO"],
        cwd=ROOT,
        env=os.environ
        | dict.fromkeys(NAMES, "")
        | PRODUCTION
        | {"DJANGO_SETTINGS_MODULE": "collector_site.settings"},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_behind_tls_cookies_never_travel_in_clear() -> None:
    show = "settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE"
    assert start(show, SECRET_KEY="x", BEHIND_PROXY="on").stdout == "True True\n"
    assert start(show, SECRET_KEY="x").stdout == "False False\n"


def test_the_secret_key_is_made_once_and_kept_for_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path / "data")
    key = settings.kept_secret_key()
    assert len(key) > 50
    assert settings.kept_secret_key() == key
    assert stat.S_IMODE((tmp_path / "data/secret_key").stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["secret_key"]


def test_a_data_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path / "data")
    with pytest.raises(ImproperlyConfigured, match="cannot be written"):
        settings.writable_data_dir()
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is not set, and none can be kept"):
        settings.kept_secret_key()


def test_a_secret_key_that_a_power_cut_left_empty_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    (tmp_path / "secret_key").touch()
    assert len(settings.kept_secret_key()) > 50
