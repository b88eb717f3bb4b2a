"""Models from the Hugging Face hub: what a name means there, and a download that can be taken up again.

Knows no Django. Nothing here talks to the network before somebody asks for a model.
"""
