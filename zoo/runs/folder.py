"""The run folder: who may write, what was asked for, what came out."""

import fcntl
import json
import os
import sys
from pathlib import Path

from ml_collections import ConfigDict

from zoo import config as configs
from zoo import tasks
from zoo.data.files import write_bytes
from zoo.errors import UserError

# What the README's results say, in this version and in 0.1; they change no run.
_WORDS = {"about", "results", "to_beat", "show"}
_OURS = {"config.json", "data.json", "metrics.jsonl", "result.json", "checkpoints"}
# What is read of result.json, by commands and by people's scripts.
_RESULT = {
    "params": int,
    "steps": int,
    "seed": int,
    "train_seconds": int | float,
    "config": str,
    "variant": str,
    "params_sha256": str,
    "versions": dict,
    "metrics": dict,
}


class Folder:
    """A run folder that this process alone writes to, from ``open`` to ``close``."""

    def __init__(self, path: Path, lock):
        self.path = path
        self._lock = lock

    def close(self) -> None:
        """Lets others in."""
        self._lock.close()


def path(name: str | os.PathLike) -> Path:
    """The folder of that name; ``~`` is the home directory. Raises UserError where there is none."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise UserError(f"{os.fspath(name)}: there is no such home directory") from error


def open_folder(path: Path) -> Folder:
    """Makes the run folder, or takes the one that is there, and locks it.

    Raises UserError where it cannot be made or written, where another process is training in it,
    and where it holds something else than a run.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        names = {p.name for p in path.iterdir() if not p.name.startswith(".")}
        if names and not names & _OURS:
            raise UserError(
                f"--run={path}: the folder holds something else than a run ({min(names)})"
            )
    except OSError as error:
        raise UserError(f"--run={path}: cannot write there: {error.strerror}") from error
    return locked(path)


def locked(path: Path) -> Folder:
    """Locks a folder that is there, whatever it holds. Raises UserError where it cannot be written, and
    where another process is training in it."""
    try:
        lock = open(path / ".lock", "a")  # noqa: SIM115 (held until close)
    except OSError as error:
        raise UserError(f"--run={path}: cannot write there: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise UserError(f"--run={path}: another process is training in this folder") from error
    return Folder(path, lock)


def check(path: Path, config: ConfigDict, data: dict) -> None:
    """Writes config.json and data.json, or checks that those that are there say the same.

    ``data`` is what the task has learned of its data. Raises UserError that names a key whose value
    differs, or says that the data is other data.
    """
    record = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if not saved(path):
        if _other_settings(path, config):
            words = "was begun with other settings and holds no checkpoint: it begins anew"
            print(f"{path} {words}", file=sys.stderr)
        write(path / "data.json", record)
        write(path / "config.json", configs.to_json(config))
        return
    if not (path / "config.json").exists():  # damaged, and deleted to be written again
        write(path / "config.json", configs.to_json(config))
    if keys := changed(read_config(path), config):
        key, (old, new) = next(iter(keys.items()))
        more = f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
        raise UserError(
            f"--run={path}: began with {key}={old}, now {new}{more}; give another --run, or "
            "move that folder away"
        )
    check_data(path, config, data)
    if not (path / "data.json").exists():  # a run of 0.1
        write(path / "data.json", record)


def changed(before: ConfigDict, config: ConfigDict) -> dict[str, list]:
    """key -> [value before, value now] of the keys that matter to a run and differ."""
    try:
        now = tasks.restored_config(configs.to_json(config))
    except ValueError as error:  # of a config file of one's own
        raise UserError(f"--config: {error}") from error
    keys = [key for key in configs.differences(before, now) if key not in _WORDS]
    return {key: [_value(before, key), _value(now, key)] for key in keys}


def saved(path: Path) -> bool:
    """Whether a run, or a stage of it, has saved anything that could be lost."""
    steps = [*path.glob("checkpoints/*"), *path.glob("*/checkpoints/*")]
    kept = [path / "result.json", path / "damaged", *path.glob("*/damaged")]
    return any(p.name.isdigit() for p in steps) or any(p.exists() for p in kept)


def _other_settings(path, config):
    """Whether a config.json is there that says otherwise."""
    try:
        before = begun(path)
    except UserError:  # damaged
        before = ConfigDict()
    return bool(changed(config if before is None else before, config))


def aside(run: Path, name: str) -> Path:
    """A new path in the folder ``damaged`` of a run, for what is damaged and kept."""
    folder = run / "damaged"
    folder.mkdir(exist_ok=True)
    taken = {path.name for path in folder.iterdir()}
    names = (name + (f"-{n}" if n else "") for n in range(len(taken) + 1))
    return folder / next(name for name in names if name not in taken)


def check_data(path: Path, config: ConfigDict, data: dict) -> None:
    """Raises UserError where a run began with other data than ``data`` describes."""
    if data["digest"] != (read_data(path) or data)["digest"]:
        name = config.data.get("path") or config.data.get("name")
        raise UserError(
            f"{name}: not the data that {path} began with; give another --run, or the data of then"
        )


def read_data(path: Path) -> dict | None:
    """What the task of a run has learned of its data; None where nobody has kept it. Raises UserError for
    a file that is damaged."""
    if (file := path / "data.json").is_file():
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            return {**record, "digest": str(record["digest"])}
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{file} is damaged; delete it, and it is written again from the data of now"
            ) from error
    # Until 0.1 the digest was a key of the config.
    record = json.loads((path / "config.json").read_text(encoding="utf-8"))
    digest = record.get("data", {}).get("sha256")
    return {"digest": digest} if digest else None


def read_config(path: Path) -> ConfigDict:
    """The config that a run was made with, laid over today's defaults of its task: a key that came later
    has its default. Raises UserError where ``path`` is no run."""
    file = path / "config.json"
    if not path.is_dir():
        raise UserError(f"--run={path}: no such folder")
    if not file.is_file():
        raise UserError(f"--run={path}: not a run of train.py: it has no config.json")
    try:
        return tasks.restored_config(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(file, error) from error


def _damaged(file, error):
    """What to do about a file of which ``error`` came."""
    why = error
    if isinstance(error, json.JSONDecodeError | RecursionError | UnicodeDecodeError):
        why = "it is not JSON"
    return UserError(
        f"{file} is damaged: {why}; delete it and run the training command again, which writes it anew"
    )


def begun(path: Path) -> ConfigDict | None:
    """The config of a run that was begun; None where there is none yet. Raises UserError for a damaged
    one."""
    return read_config(path) if (path / "config.json").is_file() else None


def read_result(path: Path) -> dict | None:
    """result.json, or None where the run is not finished. Raises UserError for a file that is damaged."""
    file = path / "result.json"
    if not file.is_file():
        return None
    try:
        result = configs.from_json(file.read_text(encoding="utf-8"))
        for key, kind in _RESULT.items():
            if not isinstance(result.get(key), kind):
                raise ValueError(f"its {key} is {result.get(key)!r}")
        for key, value in result["metrics"].items():
            values = value if isinstance(value, list) else [value]
            if not all(isinstance(v, int | float | None) for v in values):
                raise ValueError(f"its metrics.{key} is {value!r}")
        return result
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(file, error) from error


def used_sha256(result: dict) -> str:
    """Of result.json, the fingerprint of the parameters that a run is used with: the best, their average,
    or the last."""
    keys = ("best_sha256", "average_sha256", "params_sha256")
    return next(result[key] for key in keys if result.get(key))


def write(file: Path, text: str) -> None:
    """Writes a text file, whole or not at all."""
    write_bytes(file, text.encode())


def _value(config, key):
    for name in key.split("."):
        config = config.get(name) if isinstance(config, ConfigDict) else None
    return config
