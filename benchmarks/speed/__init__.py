"""How fast training is, beside that of peers."""
