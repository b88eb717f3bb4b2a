"""From a file to its text, one reader for each kind. All run in a child process (`extract_child`), without Django.

A reader yields pieces of text that end with their own line ends; joined they are the text.
"""
