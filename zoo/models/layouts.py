"""The parameters of a model under the names and in the layouts of other libraries, and back.

    named(params, "torch")          {"embedding.weight": (V, E), "rnn.weight_ih_l0": (4H, E), ...}
    params_of(arrays, like, "torch")     the way back, in the tree and shapes of ``like``

What is where:

            embedding               a layer                               softmax or head
    torch   embedding.weight        rnn.weight_ih_l0 ... of nn.LSTM,      output.weight, output.bias
                                    nn.GRU, nn.RNN
    keras   embedding/embeddings    layer_0/kernel, recurrent_kernel,     output/kernel, output/bias
                                    bias
    flax    embedding/embedding     layer_0/ii/kernel ... of Linen's      output/kernel, output/bias
                                    OptimizedLSTMCell, GRUCell,
                                    SimpleCell
    haiku   embedding/embeddings    layer_0/linear/w, b of hk.LSTM        output/w, output/b

Layers that read backwards are ``..._reverse`` in PyTorch and ``backward_0`` elsewhere. In PyTorch, layers
of several widths are modules of their own, ``rnn.0.weight_ih_l0`` and so on. The members of an ensemble, or
of a bank, stand behind ``members_0``, ``members_1`` and so on, and several modules behind their names. What
has no counterpart in those libraries keeps our name and layout. A tied softmax has no weights of its own:
they are the embedding's.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from zoo.cells import PARAMS, GRUParams, LSTMParams, RNNParams
from zoo.errors import UserError

_Arrays = dict[str, np.ndarray]


class _Form(NamedTuple):
    """How a library lays out one kind of layer.

    out:  our params -> arrays by the library's names
    back: these arrays, in a function from a name to the array -> our params
    """

    out: Callable[[Any], _Arrays]
    back: Callable[[Callable[[str], np.ndarray]], Any]


class Library(NamedTuple):
    """cells: the forms of layers, by the type of our parameters
    other:   our name -> its name, whether it is turned
    joint:   what joins the parts of a name
    """

    cells: dict[type, _Form]
    other: dict[str, tuple[str, bool]]
    joint: str = "/"


def named(params: Any, library: str) -> _Arrays:
    """The ``params`` of one of our modules as arrays of the names and layouts of a library in LIBRARIES.

    Raises UserError for a layer that the library has none of.
    """
    return {name: np.ascontiguousarray(a) for name, a in _out(_tree(params), library, "").items()}


def params_of(arrays: _Arrays, like: Any, library: str) -> Any:
    """What ``named`` has made, or arrays that were trained further, as ``params`` of the tree, shapes and
    types of ``like``.

    Raises UserError for names that are missing or too many, and for other shapes.
    """
    taken = {}

    def take(name, shape):
        if name not in arrays:
            raise UserError(f"lacks {name}, {_shape(shape)}")
        if arrays[name].shape != shape:
            raise UserError(
                f"{name} is {_shape(arrays[name].shape)}; the model's is {_shape(shape)}"
            )
        taken[name] = arrays[name]
        return arrays[name]

    tree = _back(take, _tree(like), library, "")
    if more := sorted(set(arrays) - set(taken)):
        raise UserError(f"has {more[0]}, which the model has not ({len(more)} such)")
    tree = jax.tree.map(lambda a, b: np.asarray(a, b.dtype), tree, _tree(like))
    return {"params": tree} if "params" in like else {k: {"params": v} for k, v in tree.items()}


def _tree(params):
    """The arrays of a module; of several, by their names."""
    return params["params"] if "params" in params else {k: v["params"] for k, v in params.items()}


def _shape(shape):
    return "(" + ", ".join(map(str, shape)) + ")"


def _out(tree, library, prefix):
    kind, arrays = LIBRARIES[library], {}
    for key, value in sorted(tree.items(), key=_place):
        if isinstance(value, dict):
            arrays |= _out(value, library, f"{prefix}{key}{kind.joint}")
        elif (form := _form(value, library)) is not None:
            name = _layer(tree, key, library)
            arrays |= {prefix + name(part): a for part, a in form.out(_numpy(value)).items()}
        else:
            for name, turned, a in _others(key, value, kind):
                arrays[prefix + name] = np.asarray(a).T if turned else np.asarray(a)
    return arrays


def _back(take, like, library, prefix):
    kind, tree = LIBRARIES[library], {}
    for key, value in sorted(like.items(), key=_place):
        if isinstance(value, dict):
            tree[key] = _back(take, value, library, f"{prefix}{key}{kind.joint}")
        elif (form := _form(value, library)) is not None:
            shapes = form.out(jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), value))
            name = _layer(like, key, library)

            def get(part, shapes=shapes, name=name):
                return np.asarray(take(prefix + name(part), shapes[part].shape), np.float64)

            tree[key] = form.back(get)
        else:
            leaves = [
                take(prefix + name, a.shape[::-1] if turned else a.shape).T
                if turned
                else take(prefix + name, a.shape)
                for name, turned, a in _others(key, value, kind)
            ]
            tree[key] = jax.tree.unflatten(jax.tree.structure(value), leaves)
    return tree


def _place(item):
    """Where a parameter stands among the others: as it is met on the way from inputs to outputs."""
    way, _, number = item[0].rpartition("_")
    if number.isdigit():
        return 1, int(number), way != "layer"
    return (0,) if item[0] == "embedding" else (2, item[0] != "kernel")


def _numpy(params):
    return jax.tree.map(np.asarray, params)


def _form(value, library):
    """The form of a layer; None for what is no layer."""
    if not isinstance(value, PARAMS):
        return None
    if (form := LIBRARIES[library].cells.get(type(value))) is None:
        known = ", ".join(t.__name__.removesuffix("Params") for t in LIBRARIES[library].cells)
        mine = type(value).__name__.removesuffix("Params")
        raise UserError(f"{library} has no {mine} that computes as ours does; it has {known}")
    return form


def _layer(tree, key, library):
    """part -> the name of that part of a layer ``key``, as "layer_1"."""
    if library != "torch":
        return lambda part: f"{key}/{part}"
    way, _, number = key.rpartition("_")
    layers = [v for k, v in tree.items() if k.startswith("layer_")]
    after = "_reverse" if way == "backward" else ""
    if len({len(layer.w_h) for layer in layers}) > 1:
        return lambda part: f"rnn.{number}.{part}_l0{after}"
    return lambda part: f"rnn.{part}_l{number}{after}"


def _others(key, value, kind):
    """(name, whether it is turned, array) of everything that is no layer."""
    if key in kind.other:
        return [(*kind.other[key], value)]
    flat = jax.tree_util.tree_flatten_with_path(value)[0]
    parts = [jax.tree_util.keystr(path, simple=True, separator=kind.joint) for path, _ in flat]
    return [
        (kind.joint.join(filter(None, [key, part])), False, a)
        for part, (_, a) in zip(parts, flat, strict=True)
    ]


def _gates(a, order):
    """The gates, side by side in the last axis, in another order."""
    parts = np.split(a, len(order), axis=-1)
    return np.concatenate([parts[i] for i in order], axis=-1)


# PyTorch: matrices turned, and two biases, which are added up but for the candidate of a GRU.


def _torch(params, b_h):
    w_x, w_h, b = params[:3]
    return {"weight_ih": w_x.T, "weight_hh": w_h.T, "bias_ih": b, "bias_hh": b_h}


def _of_torch(kind):
    def back(get):
        return kind(get("weight_ih").T, get("weight_hh").T, get("bias_ih") + get("bias_hh"))

    return back


def _inner(p):
    """The recurrent bias of a GRU: the candidate's, zeros for the other gates."""
    return np.concatenate([np.zeros(2 * len(p.b_n), p.b_n.dtype), p.b_n])


def _gru_of(w_x, w_h, b, inner):
    H = len(w_h)
    gates = np.concatenate([b[: 2 * H] + inner[: 2 * H], b[2 * H :]])
    return GRUParams(w_x, w_h, gates, inner[2 * H :])


def _gru_of_torch(get):
    matrices = get("weight_ih").T, get("weight_hh").T
    return _gru_of(*matrices, get("bias_ih"), get("bias_hh"))


_TORCH = Library(
    {
        LSTMParams: _Form(lambda p: _torch(p, np.zeros_like(p.b)), _of_torch(LSTMParams)),
        GRUParams: _Form(lambda p: _torch(p, _inner(p)), _gru_of_torch),
        RNNParams: _Form(lambda p: _torch(p, np.zeros_like(p.b)), _of_torch(RNNParams)),
    },
    {
        "embedding": ("embedding.weight", False),
        "kernel": ("output.weight", True),
        "bias": ("output.bias", False),
    },
    ".",
)


# Keras: as ours, but a GRU has the gates z, r, n, and two rows of biases.


def _keras(p):
    return {"kernel": p.w_x, "recurrent_kernel": p.w_h, "bias": p.b}


def _of_keras(kind):
    return lambda get: kind(get("kernel"), get("recurrent_kernel"), get("bias"))


_ZRN = (1, 0, 2)


def _gru_keras(p):
    bias = np.stack([_gates(p.b, _ZRN), _gates(_inner(p), _ZRN)])
    return {"kernel": _gates(p.w_x, _ZRN), "recurrent_kernel": _gates(p.w_h, _ZRN), "bias": bias}


def _gru_of_keras(get):
    w_x, w_h, bias = (_gates(get(name), _ZRN) for name in ("kernel", "recurrent_kernel", "bias"))
    return _gru_of(w_x, w_h, *bias)


_DENSE = {"kernel": ("output/kernel", False), "bias": ("output/bias", False)}
_KERAS = Library(
    {
        LSTMParams: _Form(_keras, _of_keras(LSTMParams)),
        GRUParams: _Form(_gru_keras, _gru_of_keras),
        RNNParams: _Form(_keras, _of_keras(RNNParams)),
    },
    {"embedding": ("embedding/embeddings", False), **_DENSE},
)


# Flax: a Dense for each gate. That of an LSTM's recurrent matrix has the bias, of a GRU that of the input.


def _flax(gates, biased):
    """out of a layer with such gates, whose biases stand on the side ``biased``, "i" or "h"."""

    def out(p):
        arrays = {}
        parts = zip(gates, *(np.split(a, len(gates), -1) for a in p[:3]), strict=True)
        for gate, w_x, w_h, b in parts:
            arrays |= {f"i{gate}/kernel": w_x, f"h{gate}/kernel": w_h, f"{biased}{gate}/bias": b}
        return arrays

    return out


def _of_flax(kind, gates, biased):
    def back(get):
        names = "i{}/kernel", "h{}/kernel", biased + "{}/bias"
        return kind(*(np.concatenate([get(n.format(g)) for g in gates], axis=-1) for n in names))

    return back


def _gru_flax(p):
    return _flax("rzn", "i")(p) | {"hn/bias": p.b_n}


def _gru_of_flax(get):
    return _of_flax(lambda *three: GRUParams(*three, get("hn/bias")), "rzn", "i")(get)


_FLAX = Library(
    {
        LSTMParams: _Form(_flax("ifgo", "h"), _of_flax(LSTMParams, "ifgo", "h")),
        GRUParams: _Form(_gru_flax, _gru_of_flax),
        RNNParams: _Form(_flax(("",), "i"), _of_flax(RNNParams, ("",), "i")),
    },
    {"embedding": ("embedding/embedding", False), **_DENSE},
)


# Haiku: one matrix of inputs and units, the gates i, g, f, o, and 1 added to the forget gate in the cell.
# Its GRU resets before the product, and its VanillaRNN has another activation.

_IGFO = (0, 2, 1, 3)


def _haiku(p):
    b = np.concatenate([np.split(p.b, 4)[0], np.split(p.b, 4)[1] - 1, *np.split(p.b, 4)[2:]])
    w = np.concatenate([p.w_x, p.w_h])
    return {"linear/w": _gates(w, _IGFO), "linear/b": _gates(b, _IGFO)}


def _of_haiku(get):
    w, b = _gates(get("linear/w"), _IGFO), _gates(get("linear/b"), _IGFO)
    H = len(b) // 4
    b[H : 2 * H] += 1
    return LSTMParams(w[:-H], w[-H:], b)


_HAIKU = Library(
    {LSTMParams: _Form(_haiku, _of_haiku)},
    {
        "embedding": ("embedding/embeddings", False),
        "kernel": ("output/w", False),
        "bias": ("output/b", False),
    },
)

LIBRARIES = {"torch": _TORCH, "keras": _KERAS, "flax": _FLAX, "haiku": _HAIKU}
