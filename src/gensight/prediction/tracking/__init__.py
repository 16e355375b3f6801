"""Over the frames of a video: following one subject, smoothing gaze."""
