"""What staff look for at any size of table: search, pages by cursor, export."""
