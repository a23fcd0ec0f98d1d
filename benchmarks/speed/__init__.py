"""How fast training is and what memory it takes, by itself and beside peers."""
