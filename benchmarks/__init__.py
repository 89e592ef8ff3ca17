"""Where the figures of the README come from: one command each, `python -m benchmarks.NAME`."""

import warnings

warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR")  # the PostgreSQL wheel, without a desktop
