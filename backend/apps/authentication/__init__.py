"""Users and the tokens they act with."""
