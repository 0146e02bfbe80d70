"""An option market without static arbitrage: SSVI surfaces under a stochastic spot, volatility and basis."""
