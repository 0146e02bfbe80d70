"""The one door for REST clients: guards, limits, and passes on to the services behind it."""
