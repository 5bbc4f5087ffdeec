"""The engine of bulk jobs: journal, report, flow. Knows no users, conversations or messages."""
