"""Reports: tables of figures, pictures to check by eye, and the methods text of a run."""
