"""Every operation once: no printing, no HTTP; progress goes to a callback."""
