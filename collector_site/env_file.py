"""The file `.env`, read into the environment; what is there already wins."""

import io
import re
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured


def read_env_file(path: Path) -> None:
    """Raises ImproperlyConfigured for a line that sets nothing, and does not repeat it.

    django-environ skips such a line, and logs it with the secret that it may hold.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{path} is not text in UTF-8.") from None
    except OSError as exc:
        raise ImproperlyConfigured(f"{path} cannot be read ({exc.strerror}).") from None
    for number, line in enumerate(lines, 1):
        is_comment = not line.strip() or line.lstrip().startswith("#")
        if not is_comment and not re.match(r"(export )?[A-Za-z_0-9]+=", line):
            raise ImproperlyConfigured(
                f"Line {number} of {path} is not NAME=VALUE, with no space before the name or "
                "around the =."
            )
        lines[number - 1] = "" if is_comment else line
    environ.Env.read_env(io.StringIO("\n".join(lines)))
