"""How the bundled model is made: sets, vocabulary, network, loop, export.

Run as ``python -m sentiment.training``.  Needs torch and transformers; scoring does not.
"""
