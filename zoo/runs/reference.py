"""runs/reference.json: what the committed results are made from."""

import fcntl
import json
import os
import platform
from pathlib import Path

from zoo.data.files import write_bytes
from zoo.errors import UserError

FILE = Path("runs/reference.json")


def read() -> dict:
    """Entries by CONFIG:VARIANT, and those of ``zoo.bench``. Raises UserError where there is no file,
    or a damaged one."""
    if not FILE.is_file():
        raise UserError(f"{FILE}: not here; run this from the repository's root")
    try:
        return json.loads(FILE.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{FILE} is damaged: {error}") from error


def put(name: str, entry: dict) -> None:
    """Puts an entry in place of the one of that name. Of two commands at once, one waits for the other."""
    FILE.parent.mkdir(exist_ok=True)
    with open(FILE.with_name(".reference.lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        entries = read() if FILE.exists() else {}
        entries[name] = entry
        write_bytes(FILE, (json.dumps(entries, indent=1, sort_keys=True) + "\n").encode())


def machine() -> str:
    """What figures were measured on, in words."""
    return f"{os.cpu_count()} cores, {platform.machine()}"


def versions() -> dict[str, str]:
    """The versions that results depend on."""
    from importlib.metadata import version

    names = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    return {"python": platform.python_version()} | {n: version(n) for n in names}
