"""The race of whole epochs: every implementation trains on all rows once per epoch, each time in a new order.

It is the race of steps with other cases and peers: `benchmarks.race` runs it, `benchmarks.report` renders it.
"""
