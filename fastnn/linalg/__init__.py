"""Matrix products: packing in panels, GEMM, GEMV, rank-one updates, tail columns, sparse inputs, the affine map."""
