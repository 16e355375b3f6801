"""Predictions scored: validation, records for the report, and COCO's results files."""
