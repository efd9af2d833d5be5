"""What a sick system looks like: measures with limits, which training and evaluation share."""
