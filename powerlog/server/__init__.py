"""The server below Django: Daphne, the handshake, frames, limits of connections, processes.

May import devices, Daphne, Autobahn, Twisted and the ground floor.
"""
