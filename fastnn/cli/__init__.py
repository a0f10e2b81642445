"""The command line: `fastnn train`, `evaluate`, `predict`, `info`, `verify` and `warmup`, one file each."""
