"""Many runs compared: probes, studies over folds and seeds, trained baselines, label curves; and dry runs."""
