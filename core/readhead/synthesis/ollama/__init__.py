"""Programs written by a language model on the user's own machine, through Ollama."""
