"""A run whose parameters were not trained here: another run's files, with other parameters."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from zoo.errors import UserError
from zoo.runs import folder
from zoo.runs.checkpoint import Checkpoints
from zoo.runs.state import TrainState, fingerprint

# What a model is used with, beside its parameters; and what of it was fitted to them.
_RECORDS = ("config", "data", "vocabulary", "corpora", "openings", "alphabet", "classes")
FITTED = ("residuals.npy", "detector.json", "combination.json")
_FILES = (*(f"{name}.json" for name in _RECORDS), "series.npz", *FITTED)
_KEPT = ("config", "variant", "seed", "steps", "train_seconds", "params", "versions")


def write(run: Path, new: Path, params: Any, origin: dict[str, str]) -> None:
    """Makes the folder ``new``, a finished run with the config of ``run`` and the parameters ``params``.

    result.json has no metrics, and ``origin`` says where the parameters came from. Raises UserError where
    ``new`` is there already, or cannot be written; then nothing is left of it.
    """
    if new.exists() and (not new.is_dir() or any(new.iterdir())):
        raise UserError(f"--out={new}: is there already; give a new folder")
    part = new.parent / f".{new.name}.{os.getpid()}"
    try:
        part.mkdir(parents=True)
        for name in _FILES:
            if (run / name).is_file():
                shutil.copyfile(run / name, part / name)
        before = folder.read_result(run)
        state = TrainState(jnp.int32(before["steps"]), params, (), (), (), {})
        with Checkpoints(part / "checkpoints") as checkpoints:
            checkpoints.save(state, before["train_seconds"])
        digest = {"params_sha256": fingerprint(params), "best_sha256": None}
        result = {key: before[key] for key in _KEPT} | {"metrics": {}, "converted": origin}
        record = json.dumps(result | digest | {"finished": True}, indent=2)
        folder.write(part / "result.json", record + "\n")
        if new.exists():
            new.rmdir()
        part.rename(new)
    except OSError as error:
        raise UserError(f"--out={new}: cannot write there: {error.strerror}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
