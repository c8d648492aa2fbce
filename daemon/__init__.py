"""The daemon: a queue of jobs, and the child process that runs them. Knows jobs, not models."""
