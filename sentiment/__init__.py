"""Understanding: sentiment, intent, emotion, urgency and language of a text.

The package is one of four independent stages.  ``base`` holds the words and the contract,
``encoder`` the bundled model (quick start, no deep-learning framework), ``hub`` any Hugging Face
classifier, ``training`` the code that made the bundled model.  Nothing heavy is imported here.
"""
