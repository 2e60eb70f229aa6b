"""The running process: settings, wiring, pipeline, jobs, command line."""
