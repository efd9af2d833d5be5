"""The judge reader: a network that reads face pictures for the evaluation, built and trained apart from the guide."""
