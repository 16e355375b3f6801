"""Many runs compared: probes, studies over folds and seeds, trained baselines; and dry runs."""
