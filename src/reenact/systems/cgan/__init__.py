"""The conditional GAN with a U-Net of seed 000 and its six-term loss."""
