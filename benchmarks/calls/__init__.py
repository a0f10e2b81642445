"""Single calls from Python, fastnn's public functions against NumPy and PyTorch, on one thread.

One process holds all three: with one thread each, none has idle threads that would slow the next. Every call is
verified against fastnn's reference before it is timed, and timed in rounds of rotating order, like a training step.
"""
