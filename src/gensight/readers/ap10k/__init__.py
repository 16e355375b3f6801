"""AP-10K: animals with 17 keypoints; reader and writer."""
