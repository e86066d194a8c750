"""What a workflow says: reading it, checking it, and filling in its expressions."""
