"""How one session is ranked: gather, prompt, ask, settle; trials and rewards."""
