"""Array kernels, one module per family, named as in `fastnn.reference`.

A kernel takes C-contiguous arrays of one precision, then numbers, then the arrays that it writes; a single number it
returns. Element-wise kernels take arrays of one dimension (`x.reshape(-1)`), softmax kernels of two. A declared
kernel refuses other types when it is compiled, by the name of the argument; those declared `strided` take floats of any
layout, and labels may have any. No kernel checks shapes or values: a label out of range or a wrong length reads and
writes beyond the arrays. `fastnn.ops` does those checks.
"""
