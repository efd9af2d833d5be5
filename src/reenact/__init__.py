"""reenact: prepare face video, train and compare published face-reenactment systems, review and use the winner."""

__version__ = "0.1.0"
