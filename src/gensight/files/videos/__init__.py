"""Videos.

- `reading`: video files -> frames, streamed in constant memory or exactly by index.
- `index`: which frames a file holds, and from which packets decoding can begin.
- `writing`: frames -> mp4, in one go or in parts that are joined.
"""
