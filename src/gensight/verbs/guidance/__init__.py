"""`gensight guide`: images generated under the control of trained readouts."""
