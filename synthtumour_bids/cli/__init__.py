"""The command lines of the package: flags, their types, and the combinations that are refused."""
