"""Commands about models: pretraining, probing, importing, exporting."""
