"""`manage.py engine doctor`: what the machine, the build and the model are good for, and what stands in the way."""
