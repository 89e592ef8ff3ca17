"""The way into the database and out of it: what waits, what is written, what follows from it,
what goes."""
