"""What decides: pure functions that look at values and change nothing."""
