"""For a class: release exercises, grade what comes back in isolation, report (``python -m course_utils.classroom``)."""
