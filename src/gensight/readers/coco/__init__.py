"""COCO json: reader, memory-mapped index, run-length masks, writer."""
