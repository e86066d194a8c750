"""Django settings: `base` for every installation, `test` for the tests."""
