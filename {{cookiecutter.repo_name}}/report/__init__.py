"""Figures and pages: what was separated and scored, to look at and to listen to."""

from .evaluation import evaluation_files
from .figures import draw_recording, draw_separation
from .folders import files_of, folder_of, picture_fields
from .listening import listening_page, page_item
from .pages import page_of_many, page_of_one
from .plots import against_input, boxes, learning_curves

__all__ = [
    "against_input",
    "boxes",
    "draw_recording",
    "draw_separation",
    "evaluation_files",
    "files_of",
    "folder_of",
    "learning_curves",
    "listening_page",
    "page_item",
    "page_of_many",
    "page_of_one",
    "picture_fields",
]
