"""What stands in a MuData after a training: its names, its record, how it is written, read and kept on disk."""
