"""Catalogues and sessions: data-set readers, day sessions, splits and candidate sampling."""
