"""Where it is remembered which exercises are done, and that the file is always whole."""

import os
from pathlib import Path

import platformdirs

from course_utils.exercises import memory


def test_without_a_word_it_is_the_readers_own_state_folder(monkeypatch):
    monkeypatch.delenv("VISION_COURSE_STATE")
    assert memory.folder() == platformdirs.user_state_path("vision-course")
    assert memory.folder().name == "vision-course"


def test_folders_are_made_and_names_added(monkeypatch, tmp_path):
    monkeypatch.setenv("VISION_COURSE_STATE", str(tmp_path / "not" / "there"))
    assert memory.done() == set()
    for name in ("softmax", "dropout", "softmax"):
        memory.remember(name)
    assert memory.done() == {"softmax", "dropout"}
    assert [file.name for file in memory.folder().iterdir()] == ["done.json"]


def test_the_new_file_is_written_beside_the_old_one_which_stays_whole(monkeypatch):
    """Only within a folder, and so within a disk, is renaming one step."""
    memory.remember("softmax")
    moved = []
    monkeypatch.setattr(os, "replace", lambda old, new: moved.append((Path(old), Path(new))))
    memory.remember("dropout")
    ((new, old),) = moved
    assert new.parent == old.parent == memory.folder()
    assert memory.done() == {"softmax"}
    new.rename(old)
    assert memory.done() == {"softmax", "dropout"}
