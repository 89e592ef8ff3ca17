"""The collector as something that runs: its health, its processes, its database away."""
