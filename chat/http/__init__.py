"""What every HTTP door shares: streaming, errors, who is asking."""
