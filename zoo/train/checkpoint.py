"""Checkpoints: Orbax, and a manifest of sha256 sums inside the same step.

Orbax writes a step to a temporary folder and renames it, so a killed save leaves nothing behind. But
it restores flipped bits, wrong shapes and dtypes without a word; so every leaf's sha256 is kept, and
a step that does not match is not a checkpoint.
"""

import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np

from zoo.train.state import TrainState, digests, leaves


class Checkpoints:
    """The checkpoints of one run, newest kept. Use as a context manager, so that it is closed."""

    def __init__(self, folder: Path, keep: int = 2):
        import orbax.checkpoint as ocp

        logging.getLogger("absl").setLevel(logging.ERROR)
        self._ocp = ocp
        self._manager = ocp.CheckpointManager(
            folder.absolute(),
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
        """Saves and waits until it is on disk; a step that is there already is left as it is."""
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        args = self._ocp.args
        self._manager.save(
            step,
            args=args.Composite(
                state=args.StandardSave(state),
                manifest=args.JsonSave({"leaves": digests(state), "seconds": seconds}),
            ),
        )
        self._manager.wait_until_finished()

    def delete(self, steps: list[int]) -> None:
        """Deletes checkpoints."""
        for step in steps:
            self._manager.delete(step)

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, float]:
        """The state saved at ``step`` and its seconds of training, with the shapes of ``like``.

        Raises ValueError, naming the leaf, where what is on disk is not what was saved.
        """
        args = self._ocp.args
        try:
            manifest = self._manager.restore(step, args=args.Composite(manifest=args.JsonRestore()))
            want = manifest.manifest["leaves"]
            shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), like)
            if missing := set(leaves(like)) ^ set(want):
                raise ValueError(f"holds other leaves than this model: {sorted(missing)[0]}")
            saved = self._manager.restore(
                step, args=args.Composite(state=args.StandardRestore(_sharded(shapes, like)))
            ).state
        except ValueError:
            raise
        except Exception as error:  # Orbax and TensorStore raise many kinds for damaged files
            raise ValueError(f"cannot be read ({type(error).__name__})") from error
        got = digests(saved)
        if wrong := [path for path in want if got.get(path) != want[path]]:
            raise ValueError(f"{wrong[0]} does not match its sha256")
        return saved, float(manifest.manifest["seconds"])


def finite(tree: Any) -> bool:
    """Whether every floating-point leaf is finite."""
    values = [x for x in leaves(tree).values() if np.issubdtype(x.dtype, np.floating)]
    return all(np.isfinite(x).all() for x in values)


def _sharded(shapes, like):
    def one(shape, x):
        return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=getattr(x, "sharding", None))

    return jax.tree.map(one, shapes, like)
