"""The parameters of a run for another library, as a file of NumPy arrays, and back.

python -m zoo.convert --run=runs/char_lm --to=torch --out=char_lm.npz
python -m zoo.convert --run=runs/char_lm --from=torch --input=tuned.npz --out=runs/tuned

Libraries: torch, keras, flax (Linen) and haiku. The names and layouts are theirs: torch has
"rnn.weight_ih_l0" as in the state_dict of nn.LSTM, and so on. stdout lists names and shapes.

The way back takes the sizes, the vocabulary and all else from --run, and makes a new run with the
parameters in --input. It can be used as any other, or trained further: train.py --config.start=runs/tuned
"""

if __name__ == "__main__":  # first of all: what is imported below takes seconds
    from zoo import interrupt

    interrupt.prepare()

import io
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
from absl import flags

from zoo import cli
from zoo.errors import UserError

_LIBRARIES = ["torch", "keras", "flax", "haiku"]


def main(argv):
    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_string("run", None, "folder of a finished run; of seeds the best one", **define)
    flags.DEFINE_enum(
        "to", None, _LIBRARIES, "library whose names and layouts are written", **define
    )
    flags.DEFINE_enum("from", None, _LIBRARIES, "library that --input was written for", **define)
    flags.DEFINE_string("input", None, ".npz file of arrays, for --from", **define)
    flags.DEFINE_string("out", None, ".npz file; with --from the folder of a new run", **define)
    if cli.parse(values, argv, __doc__) is None:
        return 0
    source = values["from"].value
    _check(values, source)

    from zoo.runs import derived, folder, seeds
    from zoo.runs.load import load

    run = seeds.chosen(folder.path(values.run))
    _, params, task = load(run)
    if not source:
        _write(Path(values.out), _named(params, task.members, values.to))
        return 0
    arrays = _read(Path(values.input))
    try:
        params = _params_of(arrays, params, task.members, source)
    except UserError as error:
        raise UserError(f"--input={values.input}: {error}") from None
    new = folder.path(values.out)
    derived.write(run, new, params, {"from": source, "file": Path(values.input).name})
    print(f"{new}: a run with the parameters of {values.input}, and all else of {run}")
    for name in derived.FITTED:
        if (new / name).exists():
            cli.note(f"{new / name} was fitted to the old parameters, those of {run}")
    return 0


def _check(values, source):
    """Raises UserError for flags that are missing or do not go together."""
    if values.run is None:
        raise UserError("--run is missing: the folder of a finished run, such as runs/char_lm")
    if bool(values.to) == bool(source):
        raise UserError(f"give one of --to and --from, each one of {', '.join(_LIBRARIES)}")
    if not values.out:
        what = "the folder of a new run" if source else "a file, such as model.npz"
        raise UserError(f"--out is missing: {what}")
    if values.input and not source:
        raise UserError(f"--input={values.input}: goes with --from; --to reads the run alone")
    if source and not values.input:
        raise UserError("--input is missing: the .npz file to be read")
    if not source and not values.out.endswith(".npz"):
        raise UserError(f"--out={values.out}: must end with .npz")


def _named(params, members, library):
    from zoo.models import ensemble, layouts

    if members:  # a bank: the first axis is the member
        each = [_member(params, i) for i in range(members)]
        params = ensemble.joined(each)
    return layouts.named(params, library)


def _params_of(arrays, params, members, library):
    import jax

    from zoo.models import ensemble, layouts

    if not members:
        return layouts.params_of(arrays, params, library)
    like = ensemble.joined([_member(params, i) for i in range(members)])
    found = layouts.params_of(arrays, like, library)["params"]
    each = [found[f"members_{i}"] for i in range(members)]
    return {"params": jax.tree.map(lambda *a: np.stack(a), *each)}


def _member(params, i):
    import jax

    return jax.tree.map(lambda a: a[i], params)


def _write(file, arrays):
    from zoo.data.files import write_bytes

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_bytes(file, buffer.getvalue())
    alike = [name for name in arrays if re.match("members_[1-9]", name)]
    width = max(map(len, arrays))
    for name, array in arrays.items():
        if name not in alike:
            print(f"{name:<{width}}  {array.shape}")
    if alike:
        print(f"the same of members_1 and so on, {len(alike)} arrays")
    count = sum(a.size for a in arrays.values())
    print(f"{file}: {len(arrays)} arrays, {count:,} numbers", file=sys.stderr)


def _read(file):
    """name -> array of a .npz file. Raises UserError for a file that is none."""
    try:
        with np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except OSError as error:
        raise UserError(f"--input={file}: {error.strerror or 'cannot be read'}") from None
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile):
        raise UserError(f"--input={file}: is no .npz file of numbers, or is damaged") from None
    for name, array in arrays.items():
        if not np.issubdtype(array.dtype, np.floating):
            raise UserError(f"--input={file}: {name} is of {array.dtype}, not of floating point")
        if not np.isfinite(array).all():
            raise UserError(f"--input={file}: {name} has numbers that are not finite")
    return arrays


if __name__ == "__main__":
    sys.exit(cli.run(main))
