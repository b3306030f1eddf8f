"""One folder a stage: its pure modules, and `app.py`, which puts it together."""
