"""Plain images: a folder without labels, and one folder per class."""
