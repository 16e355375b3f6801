"""YAML text and command-line overrides -> a checked recipe; mistakes in the recipe's own words."""
