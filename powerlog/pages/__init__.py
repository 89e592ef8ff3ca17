"""The dashboard: figures, pictures and words of its pages."""
