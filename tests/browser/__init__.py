"""Pages in Debian's Chromium: they are looked at, operated and lived through."""
