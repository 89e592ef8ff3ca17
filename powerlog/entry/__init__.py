"""The way in: who may connect and speak, and what a connection may cost."""
