"""runs/reference.json: what the committed results are made from.

What all runs of an entry share, such as versions and the scores of other methods, stands there once, under
``common``.
"""

import fcntl
import json
import platform
from pathlib import Path

from zoo import cache
from zoo.data.files import write_bytes
from zoo.errors import UserError

FILE = Path("runs/reference.json")


def read(file: Path | None = None) -> dict:
    """Entries by CONFIG:VARIANT, each run whole, and those of ``zoo.bench``; of ``FILE``, or another one.
    Raises UserError where there is no file, or a damaged one."""
    file = file or FILE
    if not file.is_file():
        raise UserError(f"{file}: not here; run this from the repository's root")
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is damaged: {error}") from error
    for entry in entries.values():
        if common := entry.pop("common", None):
            entry["runs"] = [_joined(common, run) for run in entry["runs"]]
    return entries


def put(name: str, entry: dict) -> None:
    """Puts an entry in place of the one of that name. Of two commands at once, one waits for the other."""
    FILE.parent.mkdir(exist_ok=True)
    with open(FILE.with_name(".reference.lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        entries = read() if FILE.exists() else {}
        entries[name] = entry
        entries = {name: _shorter(entry) for name, entry in entries.items()}
        write_bytes(FILE, (json.dumps(entries, indent=1, sort_keys=True) + "\n").encode())


def _shorter(entry):
    """An entry with what its runs share in ``common``."""
    runs = entry.get("runs", [])
    if len(runs) < 2:
        return entry
    common = _shared(runs)
    return entry | {"common": common, "runs": [_rest(run, common) for run in runs]}


def _shared(records):
    """What several dictionaries have in common, inside of those that they hold too."""
    shared = {}
    for key, value in records[0].items():
        values = [record.get(key) for record in records]
        if all(isinstance(v, dict) for v in values):
            if inner := _shared(values):
                shared[key] = inner
        elif all(key in record for record in records) and all(v == value for v in values):
            shared[key] = value
    return shared


def _rest(record, shared):
    """A dictionary without what is shared."""
    rest = {key: value for key, value in record.items() if key not in shared}
    inner = {k: _rest(record[k], v) for k, v in shared.items() if isinstance(v, dict)}
    return rest | {key: value for key, value in inner.items() if value}


def _joined(shared, rest):
    """The opposite of ``_rest``."""
    both = {k: _joined(v, rest.get(k, {})) for k, v in shared.items() if isinstance(v, dict)}
    return shared | rest | both


def keys(entry: dict) -> str:
    """What the command of an entry has beside its config: --config.KEY=VALUE, ..., "" for nothing."""
    words = entry.get("command", "").split()
    return " ".join(word for word in words if word.startswith("--config."))


def machine() -> str:
    """What figures were measured on, in words."""
    count = cache.cores()
    return f"{count} core{'s' if count > 1 else ''}, {platform.machine()}"


def versions() -> dict[str, str]:
    """The versions that results depend on."""
    from importlib.metadata import version

    names = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    return {"python": platform.python_version()} | {n: version(n) for n in names}
