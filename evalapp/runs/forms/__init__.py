"""Forms that start runs and create prompts."""
