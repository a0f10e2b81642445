"""`fastnn info`: what fastnn runs on, or what a saved model is."""

from __future__ import annotations

import argparse
import platform

import numba
import numpy as np

import fastnn
from fastnn.cli.errors import DONE
from fastnn.cli.model import load_model
from fastnn.cli.tables import shown
from fastnn.intrinsics import MR, NR_VECTORS, VECTOR_BYTES
from fastnn.kernel_cache import kernel_directory

HELP = "show what kernels are compiled for and where they are kept, or what a saved model is"
EPILOG = """examples:
  fastnn info
  fastnn info model.npz"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The model, if any."""
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a file of fastnn train --save, or of net.save")


def run(options: argparse.Namespace) -> int:
    """Print one line for each thing that there is to know."""
    rows = _of_machine() if options.model is None else _of_model(options.model)
    for name, value in rows.items():
        print(f"{name:18} {value}")
    return DONE


def _of_machine() -> dict[str, str]:
    return {
        "fastnn": fastnn.__version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "Numba": numba.__version__,
        "vector registers": f"{8 * VECTOR_BYTES} bits",
        "micro-tile": f"{MR} rows x {NR_VECTORS} vectors",
        "threads": str(fastnn.get_num_threads()),
        "kernel cache": str(kernel_directory() or "none: no home directory"),
    }


def _of_model(path: str) -> dict[str, str]:
    net, task = (model := load_model(path)).net, model.task
    rows = {
        "layers": "-".join(map(str, net.sizes)),
        **{
            f"  layer {k + 1}": f"{i} x {o} weights, {o} biases"
            for k, (i, o) in enumerate(zip(net.sizes, net.sizes[1:], strict=False))
        },
    }
    rows |= {
        "parameters": f"{sum(w.size for w in net.get_weights()):,} ({net.dtype.name})",
        "activation": str(net.activation),
        "loss": str(net.loss),
    }
    own = {"dropout": net.dropout if any(net.dropout) else 0, "input dropout": net.input_dropout}
    rows |= {name: str(value) for name, value in {**own, "l1": net.l1, "l2": net.l2}.items() if value}
    optimizer = net.optimizer
    rows["optimizer"] = "none" if optimizer is None else str(optimizer)
    if optimizer is not None:
        rows["steps"] = f"{optimizer.state(net).steps:,}"
    rows["epochs"] = f"{net.epochs:,}"
    if task.targets:
        rows["learned"] = shown(task.targets)
    if task.classes is not None:
        rows["classes"] = shown(map(str, task.classes))
    if task.features:
        rows["features"] = shown(task.features)
    rows["rows"] = (
        "taken as they are"
        if task.mean is None
        else "standardized by fastnn predict and evaluate, and not by net.predict"
    )
    if task.split is not None:
        kind = ", stratified" if task.split.stratify else ""
        rows["validation"] = f"{task.split.fraction:g} of the rows{kind}, seed {task.split.seed}"
    return rows
