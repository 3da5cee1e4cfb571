"""Tables and settings that are data: priors of synthesis, stages of registration."""
