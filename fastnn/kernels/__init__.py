"""Array kernels, one module per family, with the names of `fastnn.reference`.

The arguments of a kernel are C-contiguous arrays of one precision, then numbers, then the arrays that it writes. If its
result is a single number, it returns it. Element-wise kernels take arrays of one dimension (`x.reshape(-1)`), softmax
kernels of two.

A declared kernel refuses other types when it is compiled, with an error that names the argument. Kernels declared
`strided` take floats of any layout, and all kernels take labels of any layout. No kernel checks shapes or values: a
label out of range or a wrong length makes it read and write beyond the arrays. `fastnn.ops` makes those checks.
"""
