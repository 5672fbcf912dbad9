"""A run folder that is started anew: what training has written there goes, and nothing else."""

import re
import shutil
from pathlib import Path

from zoo.errors import UserError
from zoo.runs import folder

# What training and the commands write into a run folder; of --seeds and of stages it has run folders.
_FILES = re.compile(
    r"(config|data|result|summary|vocabulary|corpora|openings|alphabet|detector|classes|combination|history)\.json"
    r"|metrics\.jsonl|(samples|summary|mistakes)\.txt|residuals\.npy|series\.npz|report\.html"
    r"|(predictions|forecast|backtest|generated|confusion(_\w+)?)\.csv"
)
_FOLDERS = {"checkpoints", "damaged", "plots", "windows"}
_RUNS = re.compile(r"seed-\d+|common|generators|classifier")
_SIGNS = {"config.json", "metrics.jsonl", "result.json", "checkpoints"}  # that a folder is a run


def clear(path: Path) -> str:
    """Deletes what training has written into a run folder, and says what that was; "" where there is
    nothing.

    Raises UserError, and deletes nothing, where the folder holds anything else, is no run, or is in use.
    """
    if not path.exists():
        return ""
    if not path.is_dir():
        raise UserError(f"--overwrite: {path} is no folder; give another --run")
    runs = _runs(path)
    names = sorted(p.name for p in path.iterdir() if not p.name.startswith("."))
    if not names:
        return ""
    for run in runs:
        for entry in run.iterdir():
            if not (_written(entry) or entry in runs or entry.name.startswith(".")):
                raise UserError(
                    f"--overwrite: nothing was deleted, for {entry} is nothing that training writes; move "
                    "it away, or give another --run"
                )
    if not any((run / sign).exists() for run in runs for sign in _SIGNS):
        raise UserError(
            f"--overwrite: nothing was deleted, for {path} is no run; give another --run"
        )
    locks = []
    try:
        for run in runs:
            locks.append(folder.locked(run))
        for entry in path.iterdir():
            if entry.name == ".lock":
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    except OSError as error:
        raise UserError(
            f"--overwrite: {error.filename} cannot be deleted: {error.strerror}"
        ) from None
    finally:
        for lock in locks:
            lock.close()
    return f"{path}: deleted {', '.join(names)}"


def _runs(path):
    """The folder and the run folders in it, at whatever depth."""
    inner = [p for p in path.iterdir() if _RUNS.fullmatch(p.name) and p.is_dir()]
    return [path, *(run for p in inner if not p.is_symlink() for run in _runs(p))]


def _written(entry):
    """Whether training writes a file or folder of this name."""
    if entry.is_dir():
        return entry.name in _FOLDERS
    return _FILES.fullmatch(entry.name) is not None
