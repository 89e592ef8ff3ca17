"""The commands of manage.py. They may import everything."""
