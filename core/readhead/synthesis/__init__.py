"""Writing programs for heads, and improving those that are there."""
