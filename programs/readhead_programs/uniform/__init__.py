"""Programs that spread evenly over everything, or over everything of one kind."""
