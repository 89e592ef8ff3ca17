# The commands of README.md, under short names.
.PHONY: run test lint bench

run:
	python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python manage.py serve

test:
	python3 -m venv .venv && .venv/bin/pip install -r requirements-dev.txt && .venv/bin/pytest

lint:
	.venv/bin/ruff check . && .venv/bin/ruff format --check .

bench:
	.venv/bin/pip install -r benchmarks/requirements.txt && .venv/bin/python -m benchmarks.frames
