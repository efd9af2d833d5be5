"""pix2pixHD (Wang et al. 2018) as the few-shot baseline of seed 003."""
