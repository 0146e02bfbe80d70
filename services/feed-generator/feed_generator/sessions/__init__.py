"""Replay sessions of users: `player` takes orders, `playback` plays one session, `sources` and `history` say what."""
