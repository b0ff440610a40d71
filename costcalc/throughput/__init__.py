"""FLOPs, hardware and layout to seconds: the step-time model, memory, and the search."""
