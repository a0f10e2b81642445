"""The whole training step of a multi-layer perceptron as one kernel.

Parameters live packed: one flat array holds w1, b1, w2, b2, ... in C order, and gradients and optimizer moments have
the same layout. Views of such an array all have one type, so that one compiled step serves any depth and width.
"""

from __future__ import annotations

import numpy as np

from fastnn.kernels.activations import activate, activate_backward
from fastnn.kernels.affine import affine_forward, sum_rows
from fastnn.kernels.jit import kernel
from fastnn.kernels.losses import MEAN_SQUARED_ERROR, loss_sum
from fastnn.kernels.optimizers import update


@kernel
def forward(x, parameters, sizes, code, outputs):
    """outputs ← every layer's output for the rows of x, one layer after the other; the last is the logits."""
    n, layers = x.shape[0], sizes.size - 1
    before = x.reshape(-1)
    at, out = 0, 0
    for layer in range(layers):
        i, o = sizes[layer], sizes[layer + 1]
        w = parameters[at : at + i * o].reshape(i, o)
        b = parameters[at + i * o : at + i * o + o]
        y = outputs[out : out + n * o]
        affine_forward(before.reshape(n, i), w, b, y.reshape(n, o))
        if layer < layers - 1:
            activate(code, y, y)
        before = y
        at += i * o + o
        out += n * o


@kernel
def backward(x, parameters, sizes, code, outputs, deltas, gradients):
    """gradients ← those of the loss, in the layout of `parameters`.

    `deltas` has the layout of `outputs`; its last layer holds the gradient of the logits, the others are written.
    """
    n, layers = x.shape[0], sizes.size - 1
    at, out = parameters.size, outputs.size
    for layer in range(layers - 1, -1, -1):
        i, o = sizes[layer], sizes[layer + 1]
        at -= i * o + o
        out -= n * o
        w = parameters[at : at + i * o].reshape(i, o)
        dw = gradients[at : at + i * o].reshape(i, o)
        dy = deltas[out : out + n * o].reshape(n, o)
        sum_rows(dy, gradients[at + i * o : at + i * o + o])
        if layer == 0:
            np.dot(x.T, dy, dw)
        else:
            before = outputs[out - n * i : out]
            dx = deltas[out - n * i : out]
            np.dot(before.reshape(n, i).T, dy, dw)
            np.dot(dy, w.T, dx.reshape(n, i))
            activate_backward(code, dx, before, dx)


@kernel
def train_step(x, t, parameters, gradients, state, sizes, activation, loss, optimizer, step, hyper, outputs, deltas):
    """Forward, loss, backward, update; returns the mean loss before the update, in float64."""
    n, classes = x.shape[0], sizes[-1]
    forward(x, parameters, sizes, activation, outputs)
    last = outputs.size - n * classes
    z, dz = outputs[last:].reshape(n, classes), deltas[last:].reshape(n, classes)
    # The mean squared error is a mean over elements, the cross-entropy over rows.
    count = n * classes if loss == MEAN_SQUARED_ERROR else n
    total = loss_sum(loss, z, t, dz, 1.0 / count)
    backward(x, parameters, sizes, activation, outputs, deltas, gradients)
    update(optimizer, parameters, gradients, state, step, hyper)
    return total / count
