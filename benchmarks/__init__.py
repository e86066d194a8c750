"""Side-by-side measurements, run by `make bench`. Both sides run in turn in one run; ratios are what counts."""
