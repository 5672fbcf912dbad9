"""Checkpoints: Orbax, and a manifest inside the same step: sha256, shape and dtype of every leaf.

Orbax writes a step to a temporary folder and renames it, so a killed save leaves nothing behind. But
it restores flipped bits, wrong shapes and dtypes without a word; so every leaf's sha256 is kept, and
a step that does not match is not a checkpoint.

Nothing is ever deleted for being damaged. Where training goes on from an older step, one whose digests
were read and differ is set aside, in the folder ``damaged`` of the run; one that cannot be read stays
where it is, until training saves.
"""

import errno
import gc
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from zoo.errors import UserError
from zoo.runs import folder
from zoo.runs.state import TrainState, digest, leaves

# Parts of a state whose parameters are used rather than the last: of the first that has any.
_USED = ("best", "opt_state")

_NUMBER = re.compile(r"(?:OS error |os_error_code=')(\d+)")  # as TensorStore writes it
_DRAFT = "*.orbax-checkpoint-tmp*"  # what Orbax calls a step until it is whole


class Damaged(Exception):
    """A step whose digests were read, and differ from its arrays; the text names the first leaf."""


class Unreadable(Exception):
    """A step that cannot be read, or is of another model; the text says why."""


class Other(Unreadable):
    """A step of another model; the text names the first leaf."""


class Checkpoints:
    """The checkpoints of one run, newest kept. Use as a context manager, so that it is closed."""

    def __init__(self, path: Path, keep: int = 2):
        import orbax.checkpoint as ocp

        _quiet()
        self._ocp = ocp
        self._folder = path.absolute()
        if path.exists() and not path.is_dir():
            raise UserError(f"{path}: ought to be the folder of the checkpoints; move it away")
        self._unreadable: set[int] = set()
        alone = {}
        if jax.process_count() > 1:  # one of them reads and writes, and waits for no other
            self._folder.mkdir(parents=True, exist_ok=True)
            me = jax.process_index()
            alone["multiprocessing_options"] = ocp.options.MultiprocessingOptions(
                primary_host=me, active_processes={me}, barrier_sync_key_prefix=f"zoo{me}"
            )
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep, enable_async_checkpointing=False, create=not alone, **alone
            ),
            item_names=("state", "manifest"),
        )

    @property
    def _anew(self):
        return f"move {self._folder} away to begin again"

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.close()

    def steps(self) -> list[int]:
        """The steps that there are checkpoints of, newest first."""
        return sorted(self._manager.all_steps(), reverse=True)

    def save(self, state: TrainState, seconds: float) -> None:
        """Saves and waits until it is on disk; a step that is there already is left as it is.

        Steps that could not be read, and later ones, are set aside first: Orbax saves no step before its
        newest. Raises UserError where the disk is full or cannot be written; older steps are kept.
        """
        step = int(state.step)
        for other in self.steps():
            if other > step or other in self._unreadable:
                self.set_aside(other)
        if step in self.steps():
            return
        arrays = leaves(state)
        manifest = {
            "leaves": {path: digest(x) for path, x in arrays.items()},
            "arrays": {path: [list(x.shape), str(x.dtype)] for path, x in arrays.items()},
            "seconds": seconds,
        }
        args = self._ocp.args
        state = args.StandardSave(jax.tree.map(_one_copy, state))
        items = args.Composite(state=state, manifest=args.JsonSave(manifest))
        try:
            if not self._manager.save(step, args=items):
                raise RuntimeError(f"Orbax has not saved step {step}")
            self._manager.wait_until_finished()
            return
        except Exception as error:  # Orbax and TensorStore raise many kinds for a full disk
            fault = _system_error(error)
            if fault is None:
                raise
        _let_go()
        self.tidy()
        kept = f"step {self.steps()[0]} is kept" if self.steps() else "nothing was saved before"
        raise UserError(
            f"--run={self._folder.parent}: step {step} cannot be saved: {fault.strerror}; {kept}. Make "
            "room, and run the same command again"
        )

    def tidy(self) -> None:
        """Deletes what a save that was cut off has left. Only for whoever trains in the folder."""
        for path in self._folder.glob(_DRAFT):
            shutil.rmtree(path, ignore_errors=True)

    def set_aside(self, step: int) -> Path:
        """Moves a step to the folder ``damaged`` of the run, and says where it is now."""
        target = folder.aside(self._folder.parent, f"checkpoint-{step}")
        (self._folder / str(step)).rename(target)
        self._unreadable.discard(step)
        self._manager.reload()
        return target

    def newest(
        self, read: Callable[[int], Any], mend: bool = False, remedy: str = ""
    ) -> Any | None:
        """``read(step)`` of the newest step that is whole; None where there is no checkpoint at all.

        Older ones are tried, with a warning, where a step is damaged or cannot be read. With ``mend``
        damaged ones are set aside then: training will come to them again. Raises UserError where there
        are checkpoints and none is whole (``remedy`` says what can be done), and where the disk cannot be
        read at the moment: then nothing is wrong with the checkpoint. In both cases nothing is touched.
        """
        run, faults, other = self._folder.parent, {}, False
        for step in self.steps():
            try:
                value = read(step)
            except Damaged as error:
                faults[step] = f"is damaged: {error}"
            except Unreadable as error:
                faults[step], other = str(error), isinstance(error, Other)
                self._unreadable.add(step)
            except OSError as error:
                raise UserError(
                    f"--run={run}: checkpoint {step} cannot be read at the moment: "
                    f"{error.strerror or error}; nothing was changed, try again"
                ) from error
            else:
                for bad, fault in faults.items():
                    aside = mend and bad not in self._unreadable
                    kept = f", set aside as {self.set_aside(bad)}" if aside else ""
                    print(
                        f"warning: checkpoint {bad} {fault}{kept}; step {step} is whole and taken",
                        file=sys.stderr,
                    )
                return value
        if not faults:
            return None
        if other:
            raise UserError(
                f"--run={run}: its checkpoints are of another model than config.json and the files beside "
                f"it: {_joined(faults)}; put the right files there, or {remedy or self._anew}"
            )
        raise UserError(
            f"--run={run}: no checkpoint there is whole: {_joined(faults)}; {remedy or self._anew}"
        )

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, float]:
        """The state saved at ``step`` and its seconds of training, in the shapes and on the devices of
        ``like``.

        Raises Damaged, Unreadable, and OSError where the disk cannot be read at the moment.
        """
        manifest = self._manifest(step)
        if other := set(leaves(like)) ^ set(manifest["leaves"]):
            raise Other(f"holds other leaves than this model: {min(other)}")
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
                raise Other(f"holds other parameters than this model: {path}")
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
        manifest = self._read(step, manifest=self._ocp.args.JsonRestore()).manifest
        try:
            float(manifest["seconds"]), dict(manifest.get("arrays", {}))
            digests = {".step": manifest["leaves"][".step"]}
        except (TypeError, ValueError, KeyError, AttributeError):
            raise Unreadable("cannot be read: its manifest is damaged") from None
        _verify({".step": np.asarray(step, np.int32)}, digests)  # a copy of another step is none
        return manifest

    def _read(self, step, **items):
        try:
            return self._manager.restore(step, args=self._ocp.args.Composite(**items))
        except Exception as error:  # Orbax and TensorStore raise many kinds for damaged files
            fault = _system_error(error) or Unreadable(f"cannot be read ({type(error).__name__})")
        _let_go()
        raise fault


def finite(tree: Any) -> bool:
    """Whether every floating-point leaf is finite."""
    values = [x for x in leaves(tree).values() if np.issubdtype(x.dtype, np.floating)]
    return all(np.isfinite(x).all() for x in values)


def _one_copy(x):
    """That of the first device, of an array that all have: of several copies Orbax saves a slice of each,
    for which JAX compiles a program by device and shape."""
    alone = jax.process_count() == 1 and isinstance(x, jax.Array) and len(x.sharding.device_set) > 1
    return x.addressable_data(0) if alone and x.is_fully_replicated else x


def _system_error(error):
    """The error of the operating system that an error came from, but for files that are not there, or are
    of another kind."""
    while error is not None:
        number = error.errno if isinstance(error, OSError) else None
        if number is None and (said := _NUMBER.search(str(error))):
            number = int(said[1])
        if number and number not in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
            return OSError(number, os.strerror(number))
        error = error.__cause__ or error.__context__
    return None


def _quiet():
    """Where something fails, Orbax and TensorStore leave threads behind that go on to complain, each with
    a traceback. What failed is told by the error itself."""
    for name in ("absl", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if getattr(sys.unraisablehook, "of_zoo", False):
        return
    before = sys.unraisablehook

    def hook(unraisable):
        code = getattr(unraisable.object, "cr_code", None)  # of a coroutine
        of_orbax = code is not None and "orbax" in Path(code.co_filename).parts
        if not of_orbax and str(unraisable.exc_value) != "Event loop is closed":
            before(unraisable)

    hook.of_zoo = True
    sys.unraisablehook = hook


def _let_go():
    """Ends the coroutines of a call that failed; at the end of the process they would complain."""
    gc.collect()


def _verify(arrays, want):
    """Raises Damaged where an array is not the one that was saved."""
    for path, expected in want.items():
        if digest(arrays[path]) != expected:
            raise Damaged(f"{path} does not match its sha256")


def _joined(faults):
    newest = max(faults)
    older = f" ({len(faults) - 1} older neither)" if len(faults) > 1 else ""
    return f"{newest} {faults[newest]}{older}"


def _flat(tree):
    flat = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [(jax.tree_util.keystr(path), x) for path, x in flat]


def _shape(x):
    if isinstance(x, np.ndarray):
        return x
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None))
