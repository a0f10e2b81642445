"""The gallery: every activation of fastnn and its slope, from -4 to 4.

What an activation does to a unit is in its curve; how well the unit learns is in the slope, by which backpropagation
multiplies what comes back. Where the slope is near zero nothing is learned: at both ends of the sigmoid, whose slope is
never above 1/4, and below zero of ReLU. The newer ones (GELU, SiLU, Mish) are ReLU with the corner rounded.

Run it with `python examples/activations_gallery.py`. It prints the value and slope at -1 and 1, and the largest slope
from -4 to 4:

                   y(-1)    y(1)  slope(-1)  slope(1)   largest
    sigmoid       0.2689  0.7311     0.1966    0.1966    0.2500
    hard_sigmoid  0.3333  0.6667     0.1667    0.1667    0.1667
    tanh         -0.7616  0.7616     0.4200    0.4200    1.0000
    softsign     -0.5000  0.5000     0.2500    0.2500    1.0000
    exponential   0.3679  2.7183     0.3679    2.7183   54.5982
    identity     -1.0000  1.0000     1.0000    1.0000    1.0000
    relu          0.0000  1.0000     0.0000    1.0000    1.0000
    relu6         0.0000  1.0000     0.0000    1.0000    1.0000
    leaky_relu   -0.0100  1.0000     0.0100    1.0000    1.0000
    elu          -0.6321  1.0000     0.3679    1.0000    1.0000
    selu         -1.1113  1.0507     0.6468    1.0507    1.7581
    celu         -0.6321  1.0000     0.3679    1.0000    1.0000
    softplus      0.3133  1.3133     0.2689    0.7311    0.9820
    gelu         -0.1587  0.8413    -0.0833    1.0833    1.1289
    gelu_tanh    -0.1588  0.8412    -0.0830    1.0830    1.1290
    silu         -0.2689  0.7311     0.0723    0.9277    1.0998
    hard_swish   -0.3333  0.6667     0.1667    0.8333    1.4997
    mish         -0.3034  0.8651     0.0592    1.0490    1.0885

Its figure is that of the catalogue, docs/figures/activations.png, which is drawn by this script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from lesson import COLOURS, INK, LINES, MUTED, RULE, options, save

import fastnn

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def items() -> list[fastnn.Activation]:
    """The activations that are built in."""
    return [item for item in fastnn.Activation.by_name.values() if item.module.startswith("fastnn.")]


def curves(item: fastnn.Activation, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and slope. An activation declares what its slope is a function of: its input, its output, or both."""
    y = getattr(fastnn, item.name)(x)
    given = {"input": (x,), "output": (y,), "both": (x, y)}[item.slope_of]
    return y, getattr(fastnn, f"{item.name}_backward")(np.ones_like(x), *given)


def gallery() -> Figure:
    """The figure: one panel for each activation."""
    import matplotlib
    from matplotlib.figure import Figure

    x = np.linspace(-4, 4, 401)
    columns = 6
    rows = -(-len(items()) // columns)
    spines = {"axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": RULE}
    with matplotlib.rc_context(spines):
        figure = Figure(figsize=(12, 2.15 * rows + 0.6), facecolor="white")
        axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for place in axes[len(items()) :]:
        place.axis("off")
    for place, item in zip(axes, items(), strict=False):
        y, slope = curves(item, x)
        place.axhline(0, color=RULE, linewidth=0.8)
        place.axvline(0, color=RULE, linewidth=0.8)
        place.plot(x, y, color=COLOURS[0], linewidth=1.8, label="y")
        place.plot(x, slope, color=COLOURS[1], linewidth=1.4, linestyle=LINES[1], label="slope dy/dx")
        place.set_title(item.name, color=INK, fontsize=10)
        place.set_ylim(-1.5, 4)
        place.set_xticks([-4, 0, 4])
        place.set_yticks([-1, 0, 1, 2, 3, 4])
        place.tick_params(labelsize=8, colors=MUTED, labelbottom=True)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=2, frameon=False, fontsize=10)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / figure.get_figheight()))
    return figure


def main(argv: list[str] | None = None) -> None:
    """A table of all, and the figure."""
    chosen = options(__doc__).parse_args(argv)
    x = np.linspace(-4, 4, 8001)
    at = [int(np.argmin(np.abs(x - one))) for one in (-1, 1)]
    print(f"{'':12}   y(-1)    y(1)  slope(-1)  slope(1)   largest")
    for item in items():
        y, slope = curves(item, x)
        (y_left, y_right), (left, right) = y[at], slope[at]
        print(f"{item.name:12} {y_left:7.4f} {y_right:7.4f} {left:10.4f} {right:9.4f} {slope.max():9.4f}")
    if chosen.out:
        save(gallery(), chosen.out / "activations_gallery.png")


if __name__ == "__main__":
    main()
