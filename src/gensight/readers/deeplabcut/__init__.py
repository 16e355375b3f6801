"""DeepLabCut projects: reader, label tables (read without unpickling), writer."""
