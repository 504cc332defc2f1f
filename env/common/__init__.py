"""Parts that the environments share; no problem is named here."""
