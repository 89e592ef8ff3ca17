"""The figures of docs/performance.md: a command for each, `python -m benchmarks.NAME`."""

import warnings

warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR")  # the PostgreSQL wheel, without a desktop
