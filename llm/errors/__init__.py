"""What an error of a model or its server means."""
