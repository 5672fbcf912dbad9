"""The names of the corpora of a bank, in its run folder."""

import json
from pathlib import Path

from zoo.data.files import write_bytes

_FILE = "corpora.json"


def save(run: Path, corpora: tuple[str, ...]) -> None:
    """Writes the names; nothing of one text."""
    if corpora:
        write_bytes(run / _FILE, json.dumps(corpora).encode() + b"\n")


def load(run: Path) -> tuple[str, ...]:
    """What ``save`` wrote."""
    file = run / _FILE
    return tuple(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else ()
