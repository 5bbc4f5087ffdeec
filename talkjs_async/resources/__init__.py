"""One class per resource of the API. Arguments in, `Call` out; nothing here does I/O."""
