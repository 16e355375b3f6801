"""PASCAL VOC: reader, its xml, writer, and conversion to COCO."""
