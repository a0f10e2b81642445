"""Training and evaluation over whole data sets: plain Python on top of the net's compiled steps."""
