"""The recipe of Parley's starter model: text, training, export and evaluation."""
