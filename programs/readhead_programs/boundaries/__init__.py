"""Programs that look at where sentences and clauses begin or end."""
