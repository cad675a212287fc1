"""Programs that put words together from their pieces."""
