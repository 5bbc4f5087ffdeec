"""The doors: one class per noun of the API. Arguments in, `Call` out; nothing here does I/O."""
