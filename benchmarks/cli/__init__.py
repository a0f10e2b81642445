"""The command line of `python -m benchmarks`: a file per race, and one for what is done with their results."""
