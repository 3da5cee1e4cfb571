"""The starter: a network that learns from simulated heads alone and is shipped with the package."""
