"""The embedded stack that `repomill up` runs: broker, web, workers, beat and Flower on one machine.

`broker` and `lock` stand alone, without Django; tests and benchmarks use them as well.
"""
