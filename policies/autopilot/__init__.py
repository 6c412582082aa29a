"""The autopilot's rules: what it does next, and when reward has dropped too far to go on."""
