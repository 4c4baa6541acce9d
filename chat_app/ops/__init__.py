"""Operation: the log, metrics, tasks and request ids."""
