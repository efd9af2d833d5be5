"""Few-shot head models (Zakharov et al. 2019): an embedding styles a generator, a critic knows every clip."""
