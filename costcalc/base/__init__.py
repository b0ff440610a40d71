"""What knows nothing of training: errors, units, numbers as people read them, ranges, files."""
