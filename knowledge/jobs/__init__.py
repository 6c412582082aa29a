"""Jobs: their pieces, those of API keys, and the schedules of autopilots."""
