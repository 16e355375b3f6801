"""Many runs compared: probes, studies over folds and seeds, trained baselines; and a run tried before it is trained."""
