"""Programs that rest on the first token, alone or with something else."""
