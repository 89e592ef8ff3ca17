"""One simulated Shelly, for `simulate`, `demo`, the benchmarks and the tests.

May import core.
"""
