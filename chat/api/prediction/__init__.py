"""The prediction API: what clients written for Flowise and its kin expect."""
