"""What all our pods have alike, whoever asks for them: the pipelines' second document, or a TrainJob."""

WORK = "/reenact"  # where they have the volume that they share
USER = 1000  # user and group of the images
SHARED_MEMORY = "8Gi"  # what processes hand each other; without it they die with a bus error
DAYS = 14  # that a pod with an accelerator may take, beyond any deadline that a training can be given
