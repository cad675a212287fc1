"""Programs that stand in for heads in the running model."""
