"""Checkpoints: Orbax, and a manifest inside the same step: sha256, shape and dtype of every leaf.

Orbax writes a step to a temporary folder and renames it, so a killed save leaves nothing behind. But
it restores flipped bits, wrong shapes and dtypes without a word; so every leaf's sha256 is kept, and
a step that does not match is not a checkpoint.

Nothing is ever deleted for being damaged. A step whose digests were read and differ is set aside, in
the folder ``damaged`` of the run; one that cannot be read stays where it is, until training that went
on from an older one saves.
"""

import errno
import logging
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from zoo.errors import UserError
from zoo.runs.state import TrainState, digest, leaves

# Parts of a state whose parameters are used rather than the last: of the first that has any.
_USED = ("best", "opt_state")


class Damaged(Exception):
    """A step whose digests were read, and differ from its arrays; the text names the first leaf."""


class Unreadable(Exception):
    """A step that cannot be read, or is of another model; the text says why."""


class Checkpoints:
    """The checkpoints of one run, newest kept. Use as a context manager, so that it is closed."""

    def __init__(self, folder: Path, keep: int = 2):
        import orbax.checkpoint as ocp

        logging.getLogger("absl").setLevel(logging.ERROR)
        self._ocp = ocp
        self._folder = folder.absolute()
        self._unreadable: set[int] = set()
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep, enable_async_checkpointing=False, create=True
            ),
            item_names=("state", "manifest"),
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.close()

    def steps(self) -> list[int]:
        """The steps that there are checkpoints of, newest first."""
        return sorted(self._manager.all_steps(), reverse=True)

    def save(self, state: TrainState, seconds: float) -> None:
        """Saves and waits until it is on disk; a step that is there already is left as it is.

        Steps that could not be read are set aside first: Orbax saves no step before its newest.
        """
        step = int(state.step)
        for unreadable in sorted(self._unreadable):
            self.set_aside(unreadable)
        if step in self._manager.all_steps():
            return
        arrays = leaves(state)
        manifest = {
            "leaves": {path: digest(x) for path, x in arrays.items()},
            "arrays": {path: [list(x.shape), str(x.dtype)] for path, x in arrays.items()},
            "seconds": seconds,
        }
        args = self._ocp.args
        self._manager.save(
            step,
            args=args.Composite(state=args.StandardSave(state), manifest=args.JsonSave(manifest)),
        )
        self._manager.wait_until_finished()

    def set_aside(self, step: int) -> Path:
        """Moves a step to the folder ``damaged`` of the run, and says where it is now."""
        folder = self._folder.parent / "damaged"
        folder.mkdir(exist_ok=True)
        taken = {path.name for path in folder.iterdir()}
        names = (f"checkpoint-{step}" + (f"-{n}" if n else "") for n in range(len(taken) + 1))
        target = folder / next(name for name in names if name not in taken)
        (self._folder / str(step)).rename(target)
        self._unreadable.discard(step)
        self._manager.reload()
        return target

    def newest(self, read: Callable[[int], Any], mend: bool = False) -> Any | None:
        """``read(step)`` of the newest step that is whole; None where there is no checkpoint at all.

        Older ones are tried, with a warning, where a step is damaged or cannot be read. With ``mend``
        damaged ones are set aside: training will come to them again. Raises UserError where there are
        checkpoints and none is whole, and where the disk cannot be read at the moment: then nothing
        is wrong with the checkpoint, and nothing is touched.
        """
        run, steps = self._folder.parent, self.steps()
        for step in steps:
            try:
                return read(step)
            except Damaged as error:
                kept = f", set aside as {self.set_aside(step)}" if mend else ""
                why = f"is damaged: {error}{kept}"
            except Unreadable as error:
                why = str(error)
                self._unreadable.add(step)
            except OSError as error:
                raise UserError(
                    f"--run={run}: checkpoint {step} cannot be read at the moment: "
                    f"{error.strerror or error}; nothing was changed, try again"
                ) from error
            print(f"warning: checkpoint {step} {why}; trying an older one", file=sys.stderr)
        if steps:
            raise UserError(
                f"--run={run}: no checkpoint there is whole; delete the folder to begin again"
            )
        return None

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, float]:
        """The state saved at ``step`` and its seconds of training, in the shapes and on the devices of
        ``like``.

        Raises Damaged, Unreadable, and OSError where the disk cannot be read at the moment.
        """
        manifest = self._manifest(step)
        if other := set(leaves(like)) ^ set(manifest["leaves"]):
            raise Unreadable(f"holds other leaves than this model: {min(other)}")
        shapes = jax.tree.map(_shape, like)
        state = self._read(step, state=self._ocp.args.StandardRestore(shapes)).state
        _verify(leaves(state), manifest["leaves"])
        return state, float(manifest["seconds"])

    def params(self, step: int, like: Any) -> Any:
        """The best parameters saved at ``step``; where none were tracked their average, or the last where
        there is none either. In the tree, shapes and dtypes of ``like``, on one device. Nothing else is
        read, so no optimizer is needed.

        Raises as ``restore`` does.
        """
        manifest = self._manifest(step)
        paths = tuple(manifest["leaves"])
        group = next((g for g in _USED if any(p.startswith(f".{g}.params") for p in paths)), "")
        prefix = f".{group}.params" if group else ".params"
        one = jax.sharding.SingleDeviceSharding(jax.devices()[0])
        shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=one), like)
        want = {
            path.removeprefix(prefix): expected
            for path, expected in manifest["leaves"].items()
            if path.startswith(prefix)
        }
        arrays = manifest.get("arrays", {})  # not in checkpoints of 0.1
        for path, x in _flat(shapes):
            known = arrays.get(prefix + path, [list(x.shape), str(x.dtype)])
            if path not in want or known != [list(x.shape), str(x.dtype)]:
                raise Unreadable(f"holds other parameters than this model: {path}")
        tree = {group: {"params": shapes}} if group else {"params": shapes}
        restore = self._ocp.args.PyTreeRestore(
            item=tree,
            partial_restore=True,
            restore_args=self._ocp.checkpoint_utils.construct_restore_args(tree),
        )
        state = self._read(step, state=restore).state
        params = state[group]["params"] if group else state["params"]
        _verify(leaves(params), want)
        return params

    def _manifest(self, step):
        return self._read(step, manifest=self._ocp.args.JsonRestore()).manifest

    def _read(self, step, **items):
        try:
            return self._manager.restore(step, args=self._ocp.args.Composite(**items))
        except Exception as error:  # Orbax and TensorStore raise many kinds for damaged files
            if transient := _system_error(error):
                raise transient from error
            raise Unreadable(f"cannot be read ({type(error).__name__})") from error


def finite(tree: Any) -> bool:
    """Whether every floating-point leaf is finite."""
    values = [x for x in leaves(tree).values() if np.issubdtype(x.dtype, np.floating)]
    return all(np.isfinite(x).all() for x in values)


def _system_error(error):
    """The error of the operating system that an error came from, but for a file that is not there."""
    while error is not None:
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            return error
        number = re.search(r"OS error (\d+)", str(error))  # as TensorStore writes it
        if number and int(number[1]) != errno.ENOENT:
            return OSError(int(number[1]), os.strerror(int(number[1])))
        error = error.__cause__ or error.__context__
    return None


def _verify(arrays, want):
    """Raises Damaged where an array is not the one that was saved."""
    for path, expected in want.items():
        if digest(arrays[path]) != expected:
            raise Damaged(f"{path} does not match its sha256")


def _flat(tree):
    flat = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [(jax.tree_util.keystr(path), x) for path, x in flat]


def _shape(x):
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None))
