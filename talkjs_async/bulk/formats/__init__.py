"""Files that jobs read and write. Knows no job and nothing of TalkJS."""
