"""Makes .env beside this file, with random secrets, unless it is there."""

import os
import secrets
from pathlib import Path

NAMES = ("INFLUX_TOKEN", "INFLUX_PASSWORD", "GRAFANA_PASSWORD", "CXONE_CLIENT_SECRET", "CXONE_WEBHOOK_SECRETS")


def main(path: Path) -> None:
    """Make the file, for its owner alone."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with open(handle, "w") as file:  # noqa: PTH123 - of a handle
        file.writelines(f"{name}={secrets.token_urlsafe(24)}\n" for name in NAMES)


if __name__ == "__main__":
    main(Path(__file__).with_name(".env"))
