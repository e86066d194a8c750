"""What beat asks for by the clock."""
