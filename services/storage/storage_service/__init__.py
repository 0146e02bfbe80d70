"""Owner of collections, indexes and retention; the read API over what the pipeline stored."""
