"""Runs `python -m streams ...` as the containers of deploy/ do: nobody in particular, who may write below /state alone.

`contained.py STATE worker percentiles`: the root of the file system is read-only and shows Python, the system's
libraries and our packages; STATE is at /state, and /tmp is empty. It takes root to set that up; nothing of it is left
to the process, which keeps its id.
"""

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
USER = "10001"  # the Dockerfile's
SHOWN = (
    *("/usr", "/bin", "/lib", "/lib64", "/etc", sys.base_prefix, sys.prefix),
    *(str(REPOSITORY / package) for package in ("schemas", "connectors", "streams")),
)
ENTER = """
root=$1 state=$2 user=$3 python=$4
shift 4
mount -t tmpfs -o mode=755 none "$root"
mkdir "$root/tmp"
mount -t tmpfs none "$root/tmp" # first: what is shown may lie below it
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --bind "$1" "$root$1"
    mount -o remount,bind,ro "$root$1"
    shift
done
shift
mkdir "$root/dev" "$root/proc" "$root/state"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
mount --bind "$state" "$root/state"
mount -o remount,ro "$root"
exec chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --inh-caps=-all \
    --bounding-set=-all env -C /state HOME=/tmp PYTHONDONTWRITEBYTECODE=1 "$python" -m streams "$@"
"""


def main(state: str, *arguments: str) -> None:
    """Become that process."""
    root = Path(state).with_name("root")
    root.mkdir(exist_ok=True)
    os.chown(state, int(USER), int(USER))
    shown = [path for path in SHOWN if Path(path).is_dir()]
    enter = ["sh", "-euc", ENTER, "sh", str(root), state, USER, sys.executable, *shown, "--", *arguments]
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", *enter])


if __name__ == "__main__":
    main(*sys.argv[1:])
