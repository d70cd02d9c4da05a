"""The course for a class on one server: a JupyterHub, on trial. README.md beside this file is the page to read."""
