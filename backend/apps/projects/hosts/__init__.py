"""Where repositories live: one module per kind of host, all behind the protocol of `base`."""
