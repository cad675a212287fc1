"""Programs that look at the token itself, alone or with something else."""
