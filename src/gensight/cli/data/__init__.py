"""Commands about data: `datasets`, `init`, `annotate`."""
