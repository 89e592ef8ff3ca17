"""Keep the texts of strangers from being formulas: one guard for every file that spreadsheets open.

Names and ids come from devices. A cell that begins with a sign of FIRST is a formula, and a formula
can start a program. An apostrophe before it makes it text. A spreadsheet that takes a semicolon for
the end of a cell, as a German one does, or that ignores quotes, finds the beginning of a cell in
the middle of a text: the guard looks there as well. A tab becomes a space, so it ends no cell.
"""

import re

# Each of these means the same to Python and to PostgreSQL.
FIRST = r"-=+@\uff0d\uff1d\uff0b\uff20\ufe63\ufe66\ufe62\ufe6b\u2212"  # wide and small ones, too
# Quotes and what is not seen: programs drop them from the beginning of a cell.
SKIPPED = r'" \u00a0\u00ad\u1680\u180e\u2000-\u200f\u202a-\u202f\u205f-\u206f\u3000\ufeff'
CONTROL = r"[\x01-\x1f\x7f-\x9f\u2028\u2029]"
FORMULA = f"(^|[,;])([{SKIPPED}]*[{FIRST}])"


def safe(text: str) -> str:
    """Return the text so that no part of it is a formula in any spreadsheet."""
    return re.sub(FORMULA, r"\1'\2", re.sub(CONTROL, " ", text.replace("\0", " ")))


def safe_sql(text: str) -> str:
    """Return safe() as an SQL expression for PostgreSQL, where no text has a NUL."""
    clean = f"regexp_replace({text}, '{CONTROL}', ' ', 'g')"
    return f"regexp_replace({clean}, '{FORMULA}', '\\1''\\2', 'g')"
