"""The platform on one machine: its processes under supervisor, its data and secrets in one private folder."""
