"""Videos: one, a folder of them, or recordings of one subject; and the subject followed through them."""
