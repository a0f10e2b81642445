"""Matrix products on packed panels: packing, the panel product, tail columns, sparse inputs, and the affine map."""
