"""One file per skill: each composes exchanges for training and, from held-out material, for evaluation."""
