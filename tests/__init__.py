"""The tests of the course: of its blocks, its exercises, its notebooks."""
