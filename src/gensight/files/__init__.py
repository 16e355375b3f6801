"""Files: everything that is read from or written to disk passes through here.

- `atomic`: writing so that a file is either the old one or the whole new one; JSON.
- `hashing`: content hashes of files and of plain values.
- `images`: image files -> upright uint8 RGB, and back.
- `videos`: video files -> frames, streamed or by index, and back.
- `tables`: rows -> csv or Parquet.
- `columns`: named arrays in one memory-mapped file; where the cache folder is.
- `lock`: one writer per folder or file; `shards`: work in parts that survives a kill.
- `store`: memory-mapped tensors for the feature cache.
"""
