"""What commands show, a file each, under the name of the command: first plain data (also for --json), then printed."""
