"""Array kernels, one module per family, named as in `fastnn.reference`.

A kernel takes C-contiguous arrays of one precision, then numbers, then the arrays that it writes; a single number it
returns. Element-wise kernels take arrays of one dimension (`x.ravel()`), softmax kernels of two. No kernel checks
values: a label out of range or a wrong shape reads and writes beyond the arrays. `fastnn.ops` does the checks.
"""
