"""The adversarial loop, checkpoints, alarms."""
