"""`make stage NAME=skills READS=cxone.interactions.completed LIKE=rows`: the files of a new stage that runs.

For those who change this repository; no part of the package. It writes a topic, a record with its schema, the stage
with its declaration, a kill law and a page, and enters them where lists are kept. The stage is a plain one of its
shape: rows count the records of a key, eager passes each record on. Change it from there.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ROOT / "scaffold" / "templates"
SHAPES = sorted(folder.name for folder in TEMPLATES.iterdir() if folder.name != "shared")
PUBLISHES = {"rows", "eager", "calls"}  # shapes with a topic of their own
ASKS = {"calls", "sink"}  # shapes with a system behind them, and settings for it
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Refused(Exception):
    """No stage can be made of what was asked for."""


def main() -> int:
    """Write the files; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the files of a new stage.")
    parser.add_argument("--name", required=True, help="of the stage, with hyphens: skills")
    parser.add_argument("--reads", required=True, help="topic that it reads: cxone.interactions.completed")
    parser.add_argument("--like", required=True, choices=SHAPES, help="shape to begin with")
    given = parser.parse_args()
    try:
        words = vocabulary(given.name, given.reads)
        written = write(words, given.like)
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 2
    enter(words, given.like)
    tidy()
    lines = [
        f"wrote {len(written)} files:",
        *(f"  {path}" for path in written),
        "entered it in README.md, and where topics, records, ids and settings are listed",
        f"its law:  .venv/bin/pytest tests/streams/stages/{words['folder']}",
        "all of it: make lint types, and .venv/bin/pytest tests/test_project.py tests/streams/test_topology.py",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def vocabulary(name: str, reads: str) -> dict[str, str]:
    """Return what stands for the @words@ of the templates. Raises Refused."""
    from schemas.topics import TOPICS  # noqa: PLC0415 - so that --help needs nothing

    if not NAME.fullmatch(name):
        raise Refused(
            f"{name!r} is no name of a stage: lower-case words with hyphens between them, such as guest-hours"
        )
    folder = name.replace("-", "_")
    if (ROOT / "streams" / "stages" / folder).exists():
        raise Refused(f"there is a stage {name} already: streams/stages/{folder}")
    found = [spec for spec in TOPICS if spec.name == reads]
    if not found:
        raise Refused(f"there is no topic {reads}. Choose from: {', '.join(spec.name for spec in TOPICS)}")
    record = found[0].record
    if not record.isidentifier():
        raise Refused(f"{reads} holds {record}: a stage that reads raw bytes needs a dialect; begin with normalise")
    constants = [key for key, value in vars(import_module("schemas.topics")).items() if value is found[0]]
    if not constants:
        raise Refused(f"{reads} is one of several alike: read the topic before it")
    key, at = _fields(getattr(import_module("schemas.records"), record))
    return {
        "name": name,
        "folder": folder,
        "Class": "".join(word.capitalize() for word in name.split("-")),
        "CONST": folder.upper(),
        "topic": f"cxone.{name.replace('-', '.')}",
        "READS": constants[0],
        "reads": reads,
        "Input": record,
        "key": key,
        "at": at,
    }


def _fields(record: Any) -> tuple[str, str]:
    """Return the fields of a record that a plain stage goes by: the first text, and the first time."""
    types = (
        {field.name: field.type for field in fields(record)}
        if is_dataclass(record)
        else dict(
            zip(record.__struct_fields__, (record.__annotations__[f] for f in record.__struct_fields__), strict=True)
        )
    )
    texts = [name for name, kind in types.items() if kind in {str, "str"}]
    times = [
        n for n, kind in types.items() if kind in {int, "int"} and re.search(r"_at$|^(timestamp|window|hour_start)$", n)
    ]
    if not texts or not times:
        raise Refused(f"{record.__name__} has no text to count by, or no time: begin with a stage that is like yours")
    return texts[0], times[0]


def filled(text: str, words: Mapping[str, str]) -> str:
    """Return a template with its @words@ replaced."""
    return re.sub(r"@(\w+)@", lambda found: words.get(found[1], found[0]), text)


def write(words: Mapping[str, str], like: str) -> list[str]:
    """Write the files of the shape; return their paths."""
    written = []
    for base in (*([TEMPLATES / "shared"] if like in PUBLISHES else []), TEMPLATES / like):
        for template in sorted(base.rglob("*.tmpl")):
            path = ROOT / filled(str(template.relative_to(base).with_suffix("")), words)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(filled(template.read_text(), words))
            written.append(str(path.relative_to(ROOT)))
    return written


def enter(words: Mapping[str, str], like: str) -> None:
    """Enter the stage where lists are kept."""
    _readme(words, like)
    if like in ASKS:
        _settings(words)
    if like not in PUBLISHES:
        return
    const, folder, record = words["CONST"], words["folder"], f"{words['Class']}Row"
    names, tiers = (f"{const}, {const}_RETRIES", f"*{const}_RETRIES,\n    ") if like == "calls" else (const, "")
    quoted = '", "'
    _replace(
        "schemas/topics/__init__.py", "TOPICS: tuple", f"from schemas.topics.{folder} import {names}\n\nTOPICS: tuple"
    )
    last = "    DEAD_LETTERS,\n    DEAD_LETTERS_SETTLED,\n)"
    _replace("schemas/topics/__init__.py", last, f"    {tiers}{const},\n{last}")
    _replace("schemas/topics/__init__.py", "__all__ = [\n", f'__all__ = [\n    "{names.replace(", ", quoted)}",\n')
    _replace(
        "schemas/records/__init__.py",
        "__all__ = [",
        f'from schemas.records.{folder} import {record}\n\n__all__ = ["{record}", ',
    )
    ids = json.loads((ROOT / "schemas/ids.json").read_text())
    schema = (ROOT / "schemas/avsc" / f"{record}.v1.avsc").read_bytes()
    number = 1 + max(release["id"] for listed in ids.values() for release in listed)
    release = {"id": number, "file": f"{record}.v1.avsc", "sha256": sha256(schema).hexdigest()}
    ids[f"{words['topic']}-value"] = [release]
    (ROOT / "schemas/ids.json").write_text(json.dumps(ids, indent=2) + "\n")


def _settings(words: Mapping[str, str]) -> None:
    const = words["CONST"]
    file = ROOT / ".env.example"
    lines = [
        "",
        f"# --- {words['name']}",
        f"# URL that takes a POST of JSON (https, or http to this machine; needed by the stage {words['name']})",
        f"{const}_URL=",
        "# Seconds to wait for its whole answer",
        f"{const}_TIMEOUT=10",
    ]
    file.write_text(file.read_text() + "\n".join(lines) + "\n")


def _readme(words: Mapping[str, str], like: str) -> None:
    name, topic, record = words["name"], words["topic"], f"{words['Class']}Row"
    text = (ROOT / "README.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith(f"| `{words['reads']}`"))
    cells = row.split(" | ")
    readers = cells[-1].removesuffix(" |")
    cells[-1] = f"{readers}, `{name}` |" if readers != "you" else f"`{name}`, and you |"
    text = text.replace(row, " | ".join(cells))
    text = text.replace(", [simulator and demo]", f", [{name}](docs/stages/{name}.md), [simulator and demo]")
    if like not in PUBLISHES:
        (ROOT / "README.md").write_text(text)
        return
    dead = next(line for line in text.splitlines() if line.startswith("| `cxone.dead-letters`"))
    compacted = "" if like == "calls" else " (compacted)"
    rows = [f"| `{topic}`{compacted} | {words['key']} | `{record}` | `{name}` | you |"]
    if like == "calls":
        tiers = ", ".join(f"`{topic}.retry.{tier}`" for tier in range(1, 4))
        rows.insert(0, f"| {tiers} | {words['key']} | `{words['Input']}` | `{name}` | `{name}` |")
    text = text.replace(dead, "\n".join([*rows, dead]))
    changelogs = next(line for line in text.splitlines() if line.startswith("| `cxone-crm-batches-changelog`"))
    text = text.replace(changelogs, f"{changelogs}\n| `cxone-{name}-state-changelog` | its state |")
    (ROOT / "README.md").write_text(text)


def _replace(path: str, old: str, new: str) -> None:
    text = (ROOT / path).read_text()
    if text.count(old) != 1:
        raise Refused(f"{path} has changed: {old!r} stands in it {text.count(old)} times. Mend scaffold/stage.py")
    (ROOT / path).write_text(text.replace(old, new))


def tidy() -> None:
    """Sort what was entered, as `make lint` wants it."""
    ruff = Path(sys.executable).with_name("ruff")
    for arguments in (["check", "--fix-only", "-q", "."], ["format", "-q", "."]):
        subprocess.run([ruff, *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    raise SystemExit(main())
