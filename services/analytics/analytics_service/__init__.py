"""Analytics asked over HTTP: computed from live and stored data, never stored."""
